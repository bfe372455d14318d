"""What each script of the store is given. A face stands here for each file in ``lua/``; ``face.py`` says how."""

"""The console: pages for operators in a browser (docs/console.md). What they do, the command ``parley`` does too."""

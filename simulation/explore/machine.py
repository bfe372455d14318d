"""Takes one step of a world after the other, and looks at each promise in between."""

from __future__ import annotations

from simulation.explore import other_steps, promises, turn_steps
from simulation.explore.choices import CRASH, HAND_OVER
from simulation.explore.ledger import Violation
from simulation.explore.product import Product
from simulation.explore.values import replace
from simulation.explore.world import Budget, Choice, World
from worker.domain.conversation import Conversation


class Machine:
    """Steps of all actors on one product. ``steps``: how many were taken so far."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.steps = 0

    def take(self, world: World, choice: Choice) -> World:
        """One step, and what must be true after it. Raises ``Violation``."""
        self.steps += 1
        futile = world.futile if choice.what.startswith("begins") else ()
        numbered = replace(world.ledger, step=world.ledger.step + 1)
        try:
            world = self._taken(replace(world, futile=futile, ledger=numbered), choice)
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"a step fails, {choice}: {error!r}") from error
        return promises.of_store(paid(world, choice), self.product.look())

    def _taken(self, world: World, choice: Choice) -> World:
        match choice.who:
            case "producer":
                return self._produced(world, choice)
            case "operator":
                return other_steps.operate(self.product, world, choice.what, Conversation.of_name(choice.about))
            case "beat":
                return other_steps.ring(self.product, world)
            case "network":
                number = int(choice.about.rpartition("(")[2].rstrip(")"))
                return other_steps.bring_again(self.product, world, number)
            case "clock":
                if choice.what == "set back":
                    return other_steps.step_back(self.product, world)
                return other_steps.move(self.product, world, choice.what)
            case _:
                return self._worked(world, choice)

    def _produced(self, world: World, choice: Choice) -> World:
        if choice.what == "sends again":
            return other_steps.send_again(self.product, world, choice.about)
        kind = choice.what.removeprefix("sends ")
        return other_steps.send(self.product, world, kind, Conversation.of_name(choice.about))

    def _worked(self, world: World, choice: Choice) -> World:
        worker, product = world.worker(choice.who), self.product
        match choice.what:
            case "begins again":
                assert worker.beginning is not None, "it has begun"
                return turn_steps.begin(product, world, worker, worker.beginning[0], "")
            case str() as what if what.startswith("begins"):
                fault = what.partition(", ")[2]
                return turn_steps.begin(product, world, worker, Conversation.of_name(choice.about), fault)
            case "asks" | "sends":
                return turn_steps.call(product, world, worker, choice.about)
            case "asks late" | "sends late":
                return turn_steps.call(product, world, worker, "", late=True)
            case "looks at its lease":
                return turn_steps.look_at_lease(product, world, worker)
            case "renews":
                return turn_steps.renew(product, world, worker)
            case str() as what if what == CRASH:
                return turn_steps.crash(world, worker)
            case str() as what if what == HAND_OVER:
                return turn_steps.hand_over(product, world, worker)
            case what:
                return turn_steps.script(product, world, worker, what.partition(", ")[2])


def paid(world: World, choice: Choice) -> World:
    """The world with what this choice has used up of its budget."""
    budget: Budget = world.budget
    if choice.who == "producer" and choice.what != "sends again":
        budget = replace(budget, events=budget.events - 1)
    elif choice.who == "operator":
        budget = replace(budget, acts=budget.acts - 1)
    elif choice.who == "clock" and choice.what != "set back":
        budget = replace(budget, moves=budget.moves - 1)
    elif is_fault(choice):
        budget = replace(budget, faults=budget.faults - 1)
    return replace(world, budget=budget)


def is_fault(choice: Choice) -> bool:
    """Whether something goes wrong with this step."""
    if choice.what in (CRASH, HAND_OVER, "sends again", "set back"):
        return True
    calls = choice.what in ("asks", "sends")
    return choice.what.endswith((", answer lost", ", arrives twice", " late")) or (calls and bool(choice.about))

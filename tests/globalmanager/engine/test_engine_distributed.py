"""How many processes train is part of the order of a training."""

from fixtures_gm import job_spec
from sedna.core.staging.order import load_order
from sedna.loop.spec import Distributed


def test_the_order_of_a_training_says_how_many_processes_work_on_it(world):
    world.apply(job_spec(distributed={"workers": 2, "processesPerWorker": 3}))
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    keys = [info.key for info in world.store.list() if info.key.endswith("/order.json")]
    orders = {order.kind: order for order in (load_order(world.store.get(key), key) for key in keys)}
    assert orders["train"].distributed == Distributed(workers=2, processes_per_worker=3)
    assert (orders["train"].processes, orders["eval"].processes) == (6, 1)

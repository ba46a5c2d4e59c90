from __future__ import annotations

import math

import pytest
import torch

from sedna.algorithms.detection.loss import detection_loss
from sedna.algorithms.detection.network import Detector, locations

SIZE = (32, 32)  # 16 + 4 + 1 locations
BOX = torch.tensor([[0.0, 0.0, 8.0, 8.0, 1.0]])  # location 0 at (4, 4) is the only one inside


def test_without_boxes_the_loss_is_the_focal_loss_of_background() -> None:
    logits = torch.zeros(1, 21, 2)
    loss = detection_loss(logits, torch.ones(1, 21, 4), [torch.zeros(0, 5)], SIZE)
    # focal loss of a score 0.5 against 0: (1 - alpha) * p^gamma * -log(1 - p), alpha 0.25, gamma 2
    assert float(loss.total) == pytest.approx(21 * 2 * 0.75 * 0.25 * math.log(2), rel=1e-5)
    assert loss.box == 0.0


def test_a_perfect_answer_costs_nothing() -> None:
    logits = torch.full((1, 21, 2), -30.0)
    logits[0, 0, 1] = 30.0
    loss = detection_loss(logits, torch.full((1, 21, 4), 4.0), [BOX], SIZE)
    assert float(loss.total) == pytest.approx(0.0, abs=1e-6)


def test_the_box_loss_is_one_minus_giou() -> None:
    logits = torch.full((1, 21, 2), -30.0)
    logits[0, 0, 1] = 30.0
    distances = torch.full((1, 21, 4), 2.0)  # the predicted box is [2, 2, 6, 6]: a quarter of the true one, inside it
    assert detection_loss(logits, distances, [BOX], SIZE).box == pytest.approx(1 - 16 / 64, rel=1e-4)


def test_the_loss_is_per_positive_location_over_the_batch() -> None:
    torch.manual_seed(0)
    logits, distances = torch.randn(1, 21, 2), torch.rand(1, 21, 4) * 8
    one = detection_loss(logits, distances, [BOX], SIZE)
    two = detection_loss(logits.repeat(2, 1, 1), distances.repeat(2, 1, 1), [BOX, BOX], SIZE)
    assert float(two.total) == pytest.approx(float(one.total), rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_reach_every_weight(channels: int) -> None:
    net = Detector(2, backbone="slim", input_channels=channels, fpn_channels=8, head_convs=1)
    x = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    logits, distances = net(x)
    assert logits.shape == (2, len(locations(64, 64)[0]), 2)
    boxes = [torch.tensor([[4.0, 4.0, 40.0, 40.0, 0.0]]), torch.zeros(0, 5)]
    detection_loss(logits, distances, boxes, (64, 64)).total.backward()
    without = [
        name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert without == []


def test_a_torchvision_backbone_fits_under_the_same_head() -> None:
    net = Detector(3, backbone="resnet18", input_channels=1, fpn_channels=8, head_convs=1).eval()
    with torch.inference_mode():
        logits, distances = net(torch.zeros(1, 3, 64, 96, dtype=torch.uint8))
    assert logits.shape == (1, len(locations(64, 96)[0]), 3)
    assert bool((distances > 0).all())


def test_new_networks_start_with_low_scores() -> None:
    net = Detector(2, backbone="slim", input_channels=1, fpn_channels=8, head_convs=1).eval()
    with torch.inference_mode():
        logits, _ = net(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert float(logits.sigmoid().max()) < 0.1

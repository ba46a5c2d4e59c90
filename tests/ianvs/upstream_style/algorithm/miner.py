from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.HEM, alias="Close")
class CloseFilter:
    def __init__(self, distance=0.1, **kwargs):
        self.distance = float(distance)

    def __call__(self, infer_result=None):
        return any(distance < self.distance for _, distance in infer_result.values())

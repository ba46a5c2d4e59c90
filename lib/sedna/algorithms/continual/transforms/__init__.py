"""Views of pictures: weak and strong augmentation, normalisation."""

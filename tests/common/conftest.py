from fixtures_web import warning_filters_entered

__all__ = ["warning_filters_entered"]

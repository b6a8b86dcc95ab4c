from .nowhere import LIMIT

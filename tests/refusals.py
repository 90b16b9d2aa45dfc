"""What a function says about input that it refuses."""

from collections.abc import Callable

import pytest

from models.errors import InputError


def refused(function: Callable, *arguments, **options) -> str:
    """The message, which must be one line."""
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)

"""The terms of the data come along with them."""

import logging

from models.files.atomic import atomic, shortened
from utils.data.importers.finding import find_licences
from utils.data.importers.matching import same_content
from utils.data.importers.request import Request
from utils.images.names import clean

log = logging.getLogger(__name__)


def keep_terms(request: Request) -> None:
    """Copy the terms of the data into the data set, and say where they are."""
    for path in find_licences(request.folder):
        target = request.root / clean(path.name)
        if target.exists() and not same_content(path, target):  # those of another source
            inner = path.relative_to(request.folder).parts
            name = clean("-".join((request.source.stem, *inner)))
            target = request.root / shortened(name.removesuffix(path.suffix), path.suffix)
        if target.exists() and not same_content(path, target):
            log.warning("%s: is another file already; the terms are %s", target, path.name)
            continue
        with atomic(target) as temporary:
            temporary.write_bytes(path.read_bytes())
        log.info("%s: the terms of these data", target)

"""Where things are on the coordinator's HTTPS, and the headers that go with them."""

CA = "/ca.pem"
ENROL = "/enrol"
COLLECT = "/enrol/collect"
RENEW = "/renew"
METADATA = "/tuf/metadata/"
TARGETS = "/tuf/targets/"
PACKAGES = "/packages/"
PARTS = "/packages/parts/"
BLOBS = "/packages/blobs/"
PATCHES = "/packages/patches/"

TICKET_HEADER = "X-Roundsman-Ticket"
HOST_HEADER = "X-Roundsman-Host"
PACKAGE_HEADER = "X-Roundsman-Package"  # which package's ticket lets a blob or patch be fetched


def patch_name(base: str, new: str) -> str:
    """Return under which name the patch from one content to another is, by their hashes."""
    return f"{base}.{new}"

"""Where things are on the coordinator's HTTPS, and the headers that go with them."""

CA = "/ca.pem"
ENROL = "/enrol"
COLLECT = "/enrol/collect"
RENEW = "/renew"
METADATA = "/tuf/metadata/"
TARGETS = "/tuf/targets/"
PACKAGES = "/packages/"

TICKET_HEADER = "X-Roundsman-Ticket"
HOST_HEADER = "X-Roundsman-Host"

"""What holds for every test."""

import signal

from hypothesis import HealthCheck, settings

# a shell has what it starts in the background ignore Ctrl-C, and so would the programs we start
signal.signal(signal.SIGINT, signal.default_int_handler)

# how fast this machine is says nothing about the product
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

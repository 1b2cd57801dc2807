"""What holds for every test."""

import signal

# a shell has what it starts in the background ignore Ctrl-C, and so would the programs we start
signal.signal(signal.SIGINT, signal.default_int_handler)

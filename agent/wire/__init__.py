"""What crosses the network, and how: the only part of the agent that the coordinator imports.

Importing anything below takes every `PYRO_*` variable out of the environment first: Pyro5 reads
them when it is imported, obeys those it knows and refuses to be imported for those it does not.
"""

import os

for _name in [name for name in os.environ if name.startswith("PYRO_")]:
    del os.environ[_name]

"""Lets a process have a connection to every host of a large office, and idle callers beside."""

import resource

_ENOUGH = 65_536


def allow_many_files() -> None:
    """Raise how many files may be open, as far as this machine lets it.

    A service manager gives 1024 at first: a thousand links take them, and so can one stranger who
    opens a thousand connections and says nothing.
    """
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if most == resource.RLIM_INFINITY else min(_ENOUGH, most)
    if few != resource.RLIM_INFINITY and few < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

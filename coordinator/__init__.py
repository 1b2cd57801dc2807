"""The program on the admin's machine: decides which host does which step, and when."""

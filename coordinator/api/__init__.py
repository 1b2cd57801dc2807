"""The door for operators: HTTPS, JSON, a personal token; who may do what, and the audit trail."""

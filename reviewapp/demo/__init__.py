"""The whole product on one machine with one command: three processes and sample traces."""

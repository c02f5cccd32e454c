"""The whole product on one machine with one command: three processes and traces to try it on."""

module tidemill.dev/tests/cluster/probe

go 1.26.8

tool tidemill.dev/tests/cluster/probe

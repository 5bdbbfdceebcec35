"""Traces, where they are wanted: W3C's context in, OTLP over HTTP out.

Recording and sending are ours, around the messages of `opentelemetry-proto`. OpenTelemetry's own
SDK (1.45) was measured first, in µs of the processor beside the 55 to 70 of a request of one row,
of which 3 % may be added:

                                                             SDK    ours
    on the event loop, a request without a context           4.8     0.3
    on the event loop, one whose trace is not recorded       8.2     0.3
    on the event loop, one that is recorded                75–115    5–9
    the same in the thread that sends                       ≥ 90   30–40

Where one in a hundred is recorded, a request costs 0.7 to 0.8 more in all.

The SDK with its exporter takes 75 to 110 ms and 9 MiB to import and brings six packages beside its
own, `requests` among them; the messages take 2 ms, and the client is that of the standard library,
which the server has loaded in any case.

Nothing in here is imported unless `TIDEMILL_TRACES_ENDPOINT` is set.
"""

"""The microkernel: plugins, storage, events, HTTP mounting, command line. It knows no resource."""

"""Runs by hand: a fake of the sessions, for tests of agents and their invocations."""

from tests.agent_runs import kombuse_config, plugins_under_test, runs, sessions

__all__ = ["kombuse_config", "plugins_under_test", "runs", "sessions"]

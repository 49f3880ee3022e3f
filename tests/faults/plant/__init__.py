"""Engines that misbehave in every way we know; a gateway has them under the settings tests.faults.settings."""

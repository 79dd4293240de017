"""The package without ROS: everything is declared in setup.cfg."""

from setuptools import setup

setup()

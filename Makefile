# Each command sets everything up first (once) and then does its work. They wrap `python -m labkit ...`,
# which is what you type on Windows, where make is rarely installed (README.md, "Other doors").
#
#   make lab          run every notebook into build/        make jupyter    open JupyterLab
#   make test         run the tests, notebooks included     make notebooks  refresh the outputs in notebooks/
#   make check        is everything needed here?    make site       the stored notebooks as web pages
#
#   PYTHON=python3.12   choose the Python (3.11 to 3.13)
#   CPU=1               smaller CPU-only PyTorch (matters on Linux, at the first call)
#   ARGS="..."          more arguments for the command, as in: make lab ARGS=00_from_scratch

VENV = .venv
VENV_PYTHON = $(VENV)/bin/python
READY = $(VENV)/.labkit-ready
CPU_WHEELS = https://download.pytorch.org/whl/cpu
CANDIDATES = $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python)
SUITABLE = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.PHONY: help lab test notebooks check site jupyter setup

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

lab test check: $(READY)
	@$(VENV_PYTHON) -m labkit $@ $(ARGS)

notebooks: $(READY)
	@$(VENV_PYTHON) -m tools.notebooks $(ARGS)

site: $(READY)
	@$(VENV_PYTHON) -m tools.notebooks --site

jupyter: $(READY)
	@$(VENV_PYTHON) -m jupyter lab $(ARGS) notebooks

setup: $(READY)

# The stamp comes last: an installation that failed or was interrupted is tried again by the next call.
$(READY): requirements.lock pyproject.toml
	@if ! $(VENV_PYTHON) -m pip --version >/dev/null 2>&1; then \
	  for python in $(CANDIDATES); do \
	    if $$python -c '$(SUITABLE)' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "The lab needs Python 3.11, 3.12 or 3.13, and found none among: $(CANDIDATES)."; \
	    echo "Install one (python.org, or your system's packages), or name it: make PYTHON=/path/to/python3.12 lab"; exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$found"; \
	  $$found -m venv $(VENV) || { \
	    echo "Python could not make a virtual environment. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }; \
	fi
	@$(VENV_PYTHON) -c '$(SUITABLE)' || { \
	  echo "$(VENV) was made with a Python that the lab does not run on. Delete the folder $(VENV) and call make again."; exit 1; }
	@if [ -n "$(CPU)" ]; then \
	  echo "Installing PyTorch for the CPU only"; \
	  $(VENV_PYTHON) -m pip install --no-deps --index-url $(CPU_WHEELS) \
	    `sed -n 's/^\(torch[audio]*==[^ ;]*\).*/\1/p' requirements.lock` && \
	  grep -Ev '^(nvidia-|cuda-|triton)' requirements.lock > $(VENV)/requirements.installed; \
	else \
	  cp requirements.lock $(VENV)/requirements.installed; \
	fi
	@echo "Installing the packages of requirements.lock (the first time this takes some minutes)"
	@$(VENV_PYTHON) -m pip install -r $(VENV)/requirements.installed
	@$(VENV_PYTHON) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(READY)

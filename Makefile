# `make demo` renders a story, `make test` runs every test; both prepare a bare machine themselves.
# COMFYUI_PATH=... uses your own ComfyUI instead of fetching one.

run := bench/run
pytest := $(run) -m pytest -c tests/pytest.ini --rootdir tests

.PHONY: demo test check fuzz serve bench pictures train evidence setup clean

demo: setup
	$(run) bench/render_demo.py

test:
	bench/setup.sh test
	bench/lint
	$(pytest) tests $(PYTEST)

# While you edit: lint, types, JSON and the unit tests, in under a minute.
check:
	bench/setup.sh check
	bench/lint
	$(pytest) tests/unit $(PYTEST)

# By night: the property-based tests with thousands of random cases each (FUZZ=5000 make fuzz), every sampler with every
# scheduler, and torch.compile with its default back end.
fuzz:
	bench/setup.sh test
	FUZZ=$${FUZZ:-2000} $(pytest) tests/fuzz tests/comfyui/test_samplers.py tests/comfyui/test_torch_compile.py $(PYTEST)

serve: setup
	$(run) bench/launch.py

bench: setup
	$(run) -m lab benchmark
	$(run) -m lab distributed

# The pictures in the README, the help pages and the template browser, made again in the real page.
pictures:
	bench/setup.sh test
	$(run) -m lab.pictures
	$(run) -m lab gallery

# The demo model: `make train` trains it (again to go on), `make evidence` renders and judges stories with it. Of your own model:
# make evidence CHECKPOINT=.., or UNET=.. CLIP=.. [CLIP_TYPE=..] VAE=.. (lab/README.md).
train: setup
	OMP_NUM_THREADS=$$(nproc) OMP_WAIT_POLICY=PASSIVE $(run) -m lab train $(ARGS)

evidence: setup
	$(run) -m lab evidence

setup:
	bench/setup.sh

clean:
	rm -rf .bench output

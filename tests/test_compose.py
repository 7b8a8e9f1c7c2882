"""The container files, as far as they can be checked without a container engine."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from forest.local_neo4j import DEFAULT_VERSION

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"

OURS = {"nightly", "export", "forest"}
"""The services that run the command `forest` on the server."""
TRAINS = {"train", "train-cpu"}
"""The services that train masks: on a GPU, and without one."""
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*")


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile and its arguments, continued lines joined."""
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


@pytest.fixture(scope="module")
def project():
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def arguments(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [text for keyword, text in instructions if keyword == name]


def test_the_compose_file_obeys_the_compose_specification():
    # check-jsonschema carries the specification's own schema, so nothing is fetched.
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*check, COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def stages(instructions: list[tuple[str, str]]) -> dict[str, tuple[str, list[str]]]:
    """For each stage of the Dockerfile what it begins from, and the lines of it."""
    found: dict[str, tuple[str, list[str]]] = {}
    lines: list[str] = []
    for keyword, text in instructions:
        if keyword == "FROM":
            base, name = text.split(" AS ")
            lines = []
            found[name] = (base, lines)
        lines.append(f"{keyword} {text}")
    return found


def what_is_in(stage: str, instructions: list[tuple[str, str]]) -> str:
    """The lines that make a stage: its own, those it begins from, those it copies from."""
    every = stages(instructions)
    if stage not in every:
        return ""
    base, lines = every[stage]
    copied = re.findall(r"--from=(\S+)", "\n".join(lines))
    return "\n".join([*lines, *(what_is_in(name, instructions) for name in (base, *copied))])


def test_images_are_pinned_to_a_full_version(services, instructions):
    images = [service["image"] for service in services.values()]
    every = stages(instructions)
    bases = [base for base, _ in every.values() if base not in every]
    assert bases
    assert [name for name in images + bases if not PINNED.fullmatch(name)] == []


def test_our_images_carry_the_version_of_the_project(services, project):
    images = {name: service["image"] for name, service in services.items() if name != "neo4j"}
    ours = f"reasoning-forest:{project['version']}"
    assert images == dict.fromkeys(OURS, ours) | dict.fromkeys(TRAINS, f"{ours}-train")


def test_torch_is_in_the_image_that_trains_and_in_no_other(services, instructions):
    targets = {
        name: service["build"]["target"] for name, service in services.items() if name != "neo4j"
    }
    assert targets == dict.fromkeys(OURS, "forest") | dict.fromkeys(TRAINS, "train")
    assert [*stages(instructions)][-1] == "forest"  # what `docker build .` makes
    for target, has in {"forest": False, "train": True}.items():
        made = what_is_in(target, instructions)
        assert "requirements/run.txt" in made
        assert ("requirements/train.txt" in made) == has


def test_the_server_is_the_version_that_the_tests_run_on(services):
    assert services["neo4j"]["image"] == f"neo4j:{DEFAULT_VERSION}-community"


def test_ports_are_open_to_this_machine_only(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_password_comes_from_outside_and_is_required(services):
    secrets = {
        f"{service}.{name}": value
        for service, settings in services.items()
        for name, value in settings["environment"].items()
        if re.search("AUTH|PASSWORD", name)
    }
    ours = {f"{name}.NEO4J_PASSWORD" for name in OURS | TRAINS}
    assert set(secrets) == {"neo4j.NEO4J_AUTH"} | ours
    literal = re.compile(r"(neo4j/)?\$\{NEO4J_PASSWORD:\?[^}]+\}")
    assert [name for name, value in secrets.items() if not literal.fullmatch(value)] == []


def test_the_example_settings_name_the_password_and_give_none():
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert "NEO4J_PASSWORD=" in lines


def test_a_server_is_healthy_when_bolt_answers_its_user(services, tmp_path):
    """Runs the health check's own shell line against a stand-in for cypher-shell."""
    kind, line = services["neo4j"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    shell = tmp_path / "cypher-shell"
    shell.write_text(
        "#!/bin/sh\n"
        'echo "$NEO4J_USERNAME $NEO4J_PASSWORD" > "$OUT/login"\n'
        'echo "$*" > "$OUT/line"\n'
        "echo a result\n"
    )
    shell.chmod(0o755)
    password = "p/a $s'w\"d"
    done = subprocess.run(
        ["/bin/sh", "-c", line.replace("$$", "$")],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "OUT": str(tmp_path),
            "NEO4J_AUTH": f"neo4j/{password}",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "login").read_text().strip() == f"neo4j {password}"
    assert "bolt://localhost:7687" in (tmp_path / "line").read_text()
    # Neither the command line nor the health log shows the password.
    assert password not in (tmp_path / "line").read_text() + done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_command_waits_for_a_healthy_server_and_speaks_to_it(services, name):
    assert services[name]["depends_on"] == {"neo4j": {"condition": "service_healthy"}}
    assert services[name]["environment"]["FOREST_STORE"] == "neo4j://neo4j:7687"


def test_the_server_and_the_nights_run_all_the_time_and_commands_when_named(services):
    assert set(services) == {"neo4j"} | OURS | TRAINS
    running = {name for name, service in services.items() if "profiles" not in service}
    assert running == {"neo4j", "nightly"}
    assert {services[name]["restart"] for name in running} == {"unless-stopped"}


def test_training_reserves_a_gpu_and_on_a_laptop_none(services):
    reserved = services["train"].pop("deploy")["resources"]["reservations"]["devices"]
    assert reserved == [
        {"driver": "nvidia", "count": "${FOREST_GPUS:-all}", "capabilities": ["gpu"]}
    ]
    assert services["train"].pop("profiles") == ["gpu"]
    assert services["train-cpu"].pop("profiles") == ["cpu"]
    assert services["train"] == services["train-cpu"]


@pytest.mark.parametrize("name", sorted(TRAINS))
def test_training_reads_the_corpora_keeps_bases_and_masks_and_waits_for_no_server(services, name):
    mounts = {mount["target"]: mount for mount in services[name]["volumes"]}
    assert set(mounts) == {"/forest/corpora", "/forest/bases", "/forest/masks"}
    assert {target for target, mount in mounts.items() if mount.get("read_only")} == {
        "/forest/corpora"
    }
    # What the nights write is what is trained on.
    assert mounts["/forest/corpora"]["source"] in {
        mount["source"] for mount in services["nightly"]["volumes"]
    }
    assert services[name]["environment"]["HF_HOME"].startswith("/forest/bases/")
    assert "depends_on" not in services[name]


def said(file: str, begins: str) -> list[list[str]]:
    """The words after ``begins`` of each command in a file that begins so."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    found = [line.lstrip("#$ ") for line in lines]
    return [
        shlex.split(line, comments=True)[len(begins.split()) :]
        for line in found
        if line.startswith(begins)
    ]


def test_the_readme_says_the_lines_of_the_compose_file():
    begins = "docker compose run --rm train "
    lines = said("README.md", begins)
    assert lines == said("docker-compose.yml", begins)[: len(lines)]
    assert lines


SMALL = "[training]\nsteps = 2\nrow = 512\nrows = 1\nthreads = 1\n"


@pytest.mark.parametrize(
    ("file", "begins", "corpora"),
    [
        ("docker-compose.yml", "docker compose run --rm train ", "corpora/nightly"),
        ("README.md", "forest ", "corpora"),
    ],
)
def test_a_mask_of_the_nights_corpus_takes_three_commands(run, file, begins, corpora):
    """As they are typed, with a tiny base in place of that of a hub, and two steps."""
    pytest.importorskip("peft", reason="the extra train (torch, peft) is not installed")
    latest = f"{corpora}/latest"
    ways = said(file, begins)
    first = next(
        n for n, words in enumerate(ways) if words[:2] == ["base", "prepare"] and latest in words
    )
    prepare, train, ask = ways[first : first + 3]
    assert (train[:2], ask[0]) == (["train", latest], "ask")
    run("init", "--sample")
    assert run("nightly", corpora, "--once")[0] == 0
    for folder in ("bases", "masks"):
        Path(folder).mkdir()
    Path("small.toml").write_text(SMALL, encoding="utf-8")
    prepare[2] = "tiny:"
    if "--steps" in prepare:
        prepare[prepare.index("--steps") + 1] = "1"
    assert run(*prepare)[::2] == (0, "")
    code, _, err = run(*train, "--config", "small.toml")
    assert (code, err.splitlines()[-1][:12]) == (0, "step 2 of 2:")
    code, out, err = run(*ask, "--length", "3")
    assert (code, err) == (0, "")
    assert out.startswith(f"{ask[ask.index('--mask') + 1]}:")


def typed(words: list[str]) -> list[str]:
    """The words of a command as Compose passes them on where .env sets nothing."""
    return [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in words]


def test_the_services_run_commands_that_work_and_the_health_check_sees_how(services, run):
    """As a container does, in a folder with a forest and an empty corpora/."""
    run("init", "--sample")
    Path("corpora").mkdir()
    assert run(*typed(services["forest"]["command"]))[0] == 0
    assert run(*typed(services["export"]["command"]))[0] == 0
    kind, program, *check = services["nightly"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "forest")
    assert run(*check)[0] == 1
    assert run(*typed(services["nightly"]["command"]), "--once")[0] == 0
    assert run(*check)[0] == 0
    for name in ("nightly/latest", "export"):
        assert Path("corpora", name, "manifest.json").is_file()


def test_named_volumes_are_declared(services):
    declared = set(yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["volumes"])
    mounts = [mount for service in services.values() for mount in service["volumes"]]
    assert mounts
    named = {mount.split(":")[0] for mount in mounts if isinstance(mount, str)}
    assert named == declared


def test_everything_copied_exists_and_is_let_into_the_build(instructions):
    copies = [shlex.split(text) for text in arguments(instructions, "COPY")]
    sources = [
        source for words in copies if not words[0].startswith("--from") for source in words[:-1]
    ]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignore
    assert {line[1:] for line in ignore if line.startswith("!")} == set(sources)


def test_every_package_of_the_wheel_is_copied(instructions):
    with (ROOT / "pyproject.toml").open("rb") as file:
        packages = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = " ".join(arguments(instructions, "COPY"))
    assert [name for name in packages if f"{name}/" not in copied] == []


def test_what_is_fetched_is_checked_against_hashes(instructions):
    steps = [step.strip() for text in arguments(instructions, "RUN") for step in text.split("&&")]
    installs = [step for step in steps if "pip install" in step]
    assert len(installs) == 5
    # The wheel made in the build is the one thing without a hash, and it may fetch nothing.
    unchecked = [step for step in installs if "--require-hashes" not in step]
    assert [step for step in unchecked if "--no-index" not in step or "--no-deps" not in step] == []


def test_the_image_runs_the_project_command_as_an_ordinary_user(instructions, project):
    entry = json.loads(arguments(instructions, "ENTRYPOINT")[-1])
    assert len(entry) == 1
    assert entry[0] in project["scripts"]
    users = arguments(instructions, "USER")
    assert users
    assert users[-1] not in {"root", "0"}
    assert arguments(instructions, "WORKDIR")[-1] == "/forest"

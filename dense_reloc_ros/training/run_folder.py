"""The folder of a training run: what it is, how far it is, what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.parameter_blocks import read_yaml
from dense_reloc_ros.training.checkpoints import Checkpoints, read_checkpoint
from dense_reloc_ros.training.export import TrainedNetwork, git_revision
from dense_reloc_ros.training.run_progress import CurvePoint


class RunFolder:
    """Holds the configuration, the code's revision, checkpoints, TensorBoard logs and the curve."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = Checkpoints(path)
        self._configuration, self._revision = path / "config.yaml", path / "revision.txt"

    def check_new(self) -> None:
        """Makes sure that no run is overwritten.

        Raises:
            ConfigurationError: there is a run in the folder already.
        """
        if self.checkpoints.last.exists():
            raise ConfigurationError(
                f"{self.path}: holds a run; --resume goes on with it, --output names another"
            )

    def begin(self, configuration: Path) -> None:
        """Makes the folder of a new run of a configuration file.

        Raises:
            ConfigurationError: the folder cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Left by a run that ended before its first checkpoint.
            self.checkpoints.best.unlink(missing_ok=True)
            self._configuration.write_text(configuration.read_text())
            self._revision.write_text(git_revision() + "\n")
        except OSError as error:
            raise ConfigurationError(f"{self.path}: cannot be written to: {error}") from None

    def go_on(self, configuration: Path) -> None:
        """Checks that a configuration file is the one that the run began with, apart from `run`.

        Raises:
            ConfigurationError: there is no run, or it is another one; names what differs first.
        """
        if not self.checkpoints.last.exists():
            raise ConfigurationError(f"{self.path}: no run to go on with")
        before, now = read_yaml(self._configuration), read_yaml(configuration)
        for name in sorted((before.keys() | now.keys()) - {"run"}):
            if before.get(name) != now.get(name):
                raise ConfigurationError(
                    f"{configuration}: '{name}' is not what the run in {self.path} began with"
                )
        self._configuration.write_text(configuration.read_text())

    def trained(self, device: str) -> TrainedNetwork:
        """The best weights of the run, or the last ones where there was no validation.

        Raises:
            InputError: a checkpoint that is missing or cannot be read.
        """
        last = read_checkpoint(self.checkpoints.last)
        progress: dict[str, Any] = last["progress"]
        state, point = last, {"step": progress["step"], "metrics": {}}
        if self.checkpoints.best.exists():
            state = read_checkpoint(self.checkpoints.best)
            point = state["point"]
        text = self._configuration.read_text()
        return TrainedNetwork(
            network=read_yaml(self._configuration)["network"],
            state=state["network"],
            configuration=text,
            steps=point["step"],
            minutes=progress["seconds"] / 60,
            device=device,
            revision=self._revision.read_text().strip(),
            curve=[CurvePoint(**point) for point in progress["curve"]],
            validation=point["metrics"],
        )

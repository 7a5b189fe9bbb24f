# SPDX-License-Identifier: Apache-2.0
"""--checkpoint and its companions."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.command_line import (
  checkpoint_flags,
  export_flags,
  export_module,
  run as command_line,
)
from tests.support import trained


def run(*args):
  return command_line.run(
    export_module.main,
    export_flags.FLAGS,
    export_module.__doc__,
    ["export_module", *args],
  )


@pytest.fixture
def network(tmp_path):
  """A file with the network, without weights, as users have it."""
  path = tmp_path / "nets.py"
  path.write_text(
    "from examples import digits_network\nmodel = digits_network.build()\n"
  )
  return f"--model={path}:model"


def flags(network, tmp_path, *more):
  return [
    network,
    "--task=classification",
    f"--export_path={tmp_path}/module",
    "--nocheck",
    *more,
  ]


def test_a_checkpoint_with_all_flags(network, tmp_path):
  values = {
    f"net/{name.replace('kernel', 'weights')}": value
    for name, value in trained.values_of(trained.trained()).items()
  }
  average = values.pop("net/predictions/bias")
  values["net/predictions/bias"] = np.zeros_like(average)
  values["net/predictions/bias/ExponentialMovingAverage"] = average
  np.savez(tmp_path / "w.npz", **values)
  (tmp_path / "map.txt").write_text("# slim's names\n(.*)/kernel \\1/weights\n")
  code = run(
    *flags(
      network,
      tmp_path,
      f"--checkpoint={tmp_path}/w.npz",
      "--checkpoint_prefix=net",
      f"--checkpoint_map={tmp_path}/map.txt",
      "--ema",
      "--strict",
    )
  )
  assert code == 0
  trained.assert_is_trained(str(tmp_path / "module"))


def test_what_is_missing_is_told(network, tmp_path, capsys):
  np.savez(tmp_path / "w.npz", other=np.ones(2))
  given = f"--checkpoint={tmp_path}/w.npz"
  assert run(*flags(network, tmp_path, given)) == 1
  assert "17 of 17 variables" in capsys.readouterr().err
  assert not (tmp_path / "module").exists()


def test_flags_without_a_checkpoint(network, tmp_path, capsys):
  assert run(*flags(network, tmp_path, "--ema")) == 1
  assert (
    "--ema is True, but it is about a checkpoint" in capsys.readouterr().err
  )


def test_weights_and_a_checkpoint(network, tmp_path, capsys):
  given = ["--weights=random", "--checkpoint=x"]
  assert run(*flags(network, tmp_path, *given)) == 1
  assert "expected one" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["one\n", "a b c\n", "a b\na c\n"])
def test_maps_of_another_form(tmp_path, text):
  (tmp_path / "map").write_text(text)
  with pytest.raises(ValueError, match=r"map:\d is"):
    checkpoint_flags.read_map(str(tmp_path / "map"))

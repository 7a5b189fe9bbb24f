# SPDX-License-Identifier: Apache-2.0
"""The metadata at the top of a page on Hugging Face, as its library writes it.

https://huggingface.co/docs/hub/model-cards#model-card-metadata
"""

from __future__ import annotations

from typing import Any

from hub_image_export import contract
from hub_image_export.publishing import extra
from hub_image_export.publishing.details import PageDetails
from hub_image_export.publishing.module_facts import ModuleFacts

_PIPELINE_TAGS = {
  contract.IMAGE_CLASSIFICATION: "image-classification",
  contract.IMAGE_FEATURE_VECTOR: "image-feature-extraction",
}


def library() -> Any:
  """`huggingface_hub`; raises ImportError with the command to install it."""
  return extra.need("huggingface_hub", "pages for Hugging Face")


def front_matter(
  facts: ModuleFacts, details: PageDetails, saved_model: bool
) -> str:
  """The metadata, between its two lines of dashes.

  Args:
    facts, details: of the module.
    saved_model: whether it is there as a TF2 SavedModel, too.
  """
  hub = library()
  dataset, network = details.dataset, details.network
  tags = ["tf", "tensorflow", "tf-hub", "tf1-hub"]
  tags += ["saved-model"] if saved_model else []
  tags += [_PIPELINE_TAGS[t] for t in facts.tasks if t != facts.default_task]
  data = hub.ModelCardData(
    library_name="tensorflow-hub",
    pipeline_tag=_PIPELINE_TAGS[facts.default_task],
    license=details.license,
    language=details.language,
    tags=[*tags, *([network] if network else [])],
    datasets=[dataset] if dataset else None,
    metrics=list(details.results) if details.results else None,
    model_name=details.name if details.results else None,
    eval_results=_results(hub, facts, details) or None,
  )
  return f"---\n{data.to_yaml()}\n---"


def _results(hub: Any, facts: ModuleFacts, details: PageDetails) -> list[Any]:
  return [
    hub.EvalResult(
      task_type=_PIPELINE_TAGS[facts.default_task],
      dataset_type=details.dataset,
      dataset_name=details.dataset,
      metric_type=metric,
      metric_value=float(value),
    )
    for metric, value in (details.results or {}).items()
  ]

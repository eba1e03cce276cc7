"""Fitted models outside of torch."""

from sktransfer.serving.onnx import with_onnx

__all__ = ["with_onnx"]

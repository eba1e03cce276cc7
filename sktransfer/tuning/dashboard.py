"""A page that shows studies in the browser, by optuna-dashboard."""

from __future__ import annotations

from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from sktransfer._suggestions import import_extra

__all__ = ["make_dashboard"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # the page sends requests while it waits for slow ones


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""


def make_dashboard(storage: Any, host: str = "127.0.0.1", port: int = 8080) -> WSGIServer:
    """Make the server of a page that shows the studies of a storage.

    Parameters
    ----------
    storage : str, path-like or optuna.storages.BaseStorage
        Storage of a search.
    host : str, default="127.0.0.1"
        Address of the page. Everybody who reaches it can read, rename and delete studies.
    port : int, default=8080
        Port of the page; 0 is any free one.

    Returns
    -------
    server : wsgiref.simple_server.WSGIServer
        Server that listens, and answers in ``serve_forever``; a context manager that closes it.

    Raises
    ------
    ImportError
        If optuna-dashboard is not installed.
    OSError
        If there is no such storage, or the port is in use.
    """
    optuna_dashboard = import_extra("optuna_dashboard", "dashboard", "The dashboard")
    from sktransfer.tuning._study import existing_storage

    app = optuna_dashboard.wsgi(existing_storage(storage))
    try:
        return make_server(host, port, app, server_class=_Server, handler_class=_SilentHandler)
    except OSError as error:
        raise OSError(f"{host}:{port}: {error}. Another port is free: pass port=0.") from error

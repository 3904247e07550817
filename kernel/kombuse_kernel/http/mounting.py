"""The routes of all plugins below /api, and the OpenAPI document of them."""

import inspect
import re
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.routing import APIRoute
from importlib_metadata import version
from starlette.exceptions import HTTPException
from starlette.responses import Response

from kombuse_kernel.http.answers import Answer, error_answer
from kombuse_kernel.http.binding import Binding
from kombuse_kernel.http.contract import ContractError, Extender
from kombuse_kernel.http.handlers import RouteHandler
from kombuse_kernel.kernel import RunningKernel
from kombuse_sdk.api_document import described
from kombuse_sdk.errors import BadRequest, Invalid, KombuseError, issue
from kombuse_sdk.schemas import with_bounds
from kombuse_sdk.types import Mount

__all__ = ["KERNEL_PATHS", "ApiRoutes", "Checks"]

KERNEL_PATHS = frozenset({"/", "/health", "/openapi.json"})
_PARAMETER = re.compile(r"\{[^}]*\}")
_STREAMS = (StreamingResponse, FileResponse)


class Checks:
    """What is refused before a plugin is counted as loaded; ContractError names the routes."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], str] = {}

    def router(self, name: str, router: APIRouter) -> None:
        """Every route has a response model, can be bound and documented, and is the only one."""
        routes = list(_routes(name, router))
        bad = [
            f"{method} /api{route.path}"
            for route in routes
            if not _streams(route) and route.response_model is None and route.status_code != 204
            for method in sorted(route.methods or ())
        ]
        if bad:
            raise ContractError(f"no response model: {', '.join(bad)}")
        taken = dict(self._taken)
        for route in routes:
            Binding.of(route, lambda model: model)
            for method in sorted(route.methods or ()):
                key = (method, _PARAMETER.sub("{}", route.path))
                if key in taken:
                    raise ContractError(f"{method} /api{route.path} is served by {taken[key]}")
                taken[key] = name
        self._taken = taken

    def mount(self, name: str, mount: Mount) -> None:
        """Mounted applications stay out of the way of the API and of the kernel's own paths."""
        path = mount.path
        if not path.startswith("/") or f"{path}/".startswith("/api/") or path in KERNEL_PATHS:
            raise ContractError(f"{path} cannot be mounted")


class ApiRoutes:
    """Handlers by path and method; a route that only FastAPI can bind has the handler None."""

    def __init__(self, kernel: RunningKernel) -> None:
        self._extender = Extender(kernel.joins)
        self.handlers: list[tuple[str, set[str], RouteHandler | None]] = []
        self._routes: list[tuple[str, APIRoute]] = []
        for name, router in kernel.offers("kombuse_routes"):
            for route in _routes(name, router):
                self._routes.append((name, route))
                self.handlers.append(
                    (f"/api{route.path}", set(route.methods or ()), self._handler(route))
                )

    def document(self) -> FastAPI:
        app = FastAPI(title="Kombuse", version=version("kombuse"), docs_url=None, redoc_url=None)
        for name, route in self._routes:
            app.add_api_route(
                f"/api{route.path}",
                self._documented(route),
                methods=list(route.methods or ()),
                name=route.name,
                tags=[name],
                summary=route.summary,
                description=route.description or None,
                status_code=route.status_code,
                response_class=route.response_class,
                response_model=self._extender.output(route.response_model),
                responses=route.responses,
                dependencies=route.dependencies,
                openapi_extra=route.openapi_extra,
            )
        for kind in (RequestValidationError, HTTPException, KombuseError, Exception):
            app.add_exception_handler(kind, _as_response)
        published = app.openapi
        app.openapi = lambda: described(with_bounds(published()))  # type: ignore[method-assign]
        return app

    def _handler(self, route: APIRoute) -> RouteHandler | None:
        binding = Binding.of(route, self._extender.query)
        if binding is None:
            return None
        model = self._extender.output(route.response_model)
        return RouteHandler(route.endpoint, binding, route.status_code or 200, model)

    def _documented(self, route: APIRoute) -> Any:
        """The route's function with its query model extended by the filters of plugins."""
        binding = Binding.of(route, self._extender.query)
        if binding is None or binding.query is None:
            return route.endpoint
        name, model = binding.query
        signature = inspect.signature(route.endpoint)
        old = signature.parameters[name]
        metadata = old.annotation.__metadata__
        new = old.replace(annotation=Annotated[(model, *metadata)])
        endpoint = route.endpoint

        def documented(**arguments: Any) -> Any:
            return endpoint(**arguments)

        documented.__name__ = endpoint.__name__
        documented.__doc__ = endpoint.__doc__
        parameters = [new if p.name == name else p for p in signature.parameters.values()]
        documented.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return documented


def _routes(name: str, router: APIRouter) -> Iterable[APIRoute]:
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise ContractError(f"{name}: only plain routes can be mounted, not {route!r}")
        yield route


def _streams(route: APIRoute) -> bool:
    kind = getattr(route.response_class, "value", route.response_class)
    return isinstance(kind, type) and issubclass(kind, _STREAMS)


async def _as_response(request: Request, error: Exception) -> Response:
    answer = _fastapi_answer(error)
    return Response(answer.body, answer.status, media_type="application/json")


def _fastapi_answer(error: Exception) -> Answer:
    if isinstance(error, RequestValidationError):
        issues = [issue("custom", item["loc"][1:], item["msg"]) for item in error.errors()]
        return error_answer(Invalid(*issues))
    if isinstance(error, HTTPException):
        answer = error_answer(BadRequest(str(error.detail)))
        answer.status = error.status_code
        return answer
    return error_answer(error)

"""/api/profiles"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.profiles import queries, service
from kombuse_plugins.profiles.schemas import ProfileCreate, ProfileFilter, ProfileUpdate
from kombuse_sdk.contracts.profiles import Profile
from kombuse_sdk.http import Read, Router, Write

router = Router()


@router.get("/profiles", response_model=list[Profile])
def list_profiles(tx: Read, query: Annotated[ProfileFilter, Query()]) -> Any:
    return queries.page(tx, query)


@router.get("/profiles/{profile_id}", response_model=Profile)
def get_profile(tx: Read, profile_id: str) -> Any:
    return service.get(tx, profile_id)


@router.post("/profiles", status_code=201, response_model=Profile)
def create_profile(tx: Write, body: ProfileCreate) -> Any:
    return service.create(tx, body)


@router.patch("/profiles/{profile_id}", response_model=Profile)
def update_profile(tx: Write, profile_id: str, body: ProfileUpdate) -> Any:
    return service.update(tx, profile_id, body)


@router.delete("/profiles/{profile_id}", status_code=204)
def delete_profile(tx: Write, profile_id: str) -> None:
    service.deactivate(tx, profile_id)

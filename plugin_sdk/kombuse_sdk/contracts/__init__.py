"""What plugins may ask of each other: protocols, one module per group.

A protocol is looked up with `tx.services.get(Labels)`, or `find` where the plugin may be absent.
Pass the transaction on; a provider never opens its own.
"""

from kombuse_sdk.contracts.agents import Agents
from kombuse_sdk.contracts.attachments import Attachments
from kombuse_sdk.contracts.comments import Comments
from kombuse_sdk.contracts.invocations import Invocations, PackagedTriggers, Triggers
from kombuse_sdk.contracts.labels import Labels
from kombuse_sdk.contracts.milestones import Milestones
from kombuse_sdk.contracts.package_files import PackageFiles
from kombuse_sdk.contracts.permissions import Permissions
from kombuse_sdk.contracts.profiles import Profiles
from kombuse_sdk.contracts.projects import Projects
from kombuse_sdk.contracts.realtime import Greetings, Live
from kombuse_sdk.contracts.sessions import Prompts, Sessions
from kombuse_sdk.contracts.settings import Settings
from kombuse_sdk.contracts.tickets import TicketRef, Tickets

__all__ = [
    "Agents",
    "Attachments",
    "Comments",
    "Greetings",
    "Invocations",
    "Labels",
    "Live",
    "Milestones",
    "PackageFiles",
    "PackagedTriggers",
    "Permissions",
    "Profiles",
    "Projects",
    "Prompts",
    "Sessions",
    "Settings",
    "TicketRef",
    "Tickets",
    "Triggers",
]

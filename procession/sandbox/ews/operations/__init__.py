"""The operations of the Exchange face. Adding one means adding its module here."""

from procession.sandbox.ews.batch import Operation
from procession.sandbox.ews.operations import (
    attachment_items,
    availability,
    change_folders,
    convert_id,
    create_item,
    delete_item,
    find_folder,
    find_item,
    get_folder,
    get_item,
    move_copy_item,
    out_of_office,
    resolve_names,
    send_item,
    subscribe,
    sync_folder_hierarchy,
    sync_folder_items,
    time_zones,
    update_item,
)

OPERATIONS: tuple[Operation, ...] = (
    *get_item.OPERATIONS,
    *find_item.OPERATIONS,
    *create_item.OPERATIONS,
    *update_item.OPERATIONS,
    *delete_item.OPERATIONS,
    *send_item.OPERATIONS,
    *move_copy_item.OPERATIONS,
    *sync_folder_items.OPERATIONS,
    *sync_folder_hierarchy.OPERATIONS,
    *get_folder.OPERATIONS,
    *find_folder.OPERATIONS,
    *change_folders.OPERATIONS,
    *attachment_items.OPERATIONS,
    *convert_id.OPERATIONS,
    *resolve_names.OPERATIONS,
    *subscribe.OPERATIONS,
    *availability.OPERATIONS,
    *time_zones.OPERATIONS,
    *out_of_office.OPERATIONS,
)

__all__ = ["OPERATIONS"]

"""Fields of requests whose texts name nothing of a tenant's, and why: isolation_test.py."""

_WHY = {
    'functions are everybody\'s': ['TaskSpec.function', 'ListTasksRequest.function'],
    'says what the input is': ['TaskSpec.content_type'],
    'of the tenant; test_request_ids_are_the_tenants_own': ['TaskSpec.request_id'],
    'of the tenant\'s function; unique_keys_test': ['UniqueKey.key'],
    'the task\'s or the queue\'s own': [
        'TaskSpec.LabelsEntry.key', 'TaskSpec.LabelsEntry.value', 'BatchChangeTasksRequest.reason',
        'CancelTaskRequest.reason', 'ForceCancelTaskRequest.reason', 'PauseQueueRequest.reason',
        'PauseTaskRequest.reason', 'PurgeQueueRequest.reason'],
    'looked for among the parent\'s tasks alone': [
        'TaskFilter.LabelsEntry.key', 'TaskFilter.LabelsEntry.value', 'TaskFilter.error_reason',
        'TaskFilter.function', 'TaskFilter.names', 'TaskFilter.parent_task', 'TaskFilter.text',
        'TaskFilter.worker'],
    'names a field': ['ListTasksRequest.order_by'],
    'of a task to be changed: no mask names it': [
        'TaskSpec.queue', 'Attempt.fiber', 'Attempt.worker', 'Task.output_content_type',
        'Task.parent_task', 'Task.pause_reason', 'Task.progress_message', 'Task.waiting_reason',
        'WaitExplanation.subject', 'WaitExplanation.text'],
    'a worker\'s; test_fibers_of_others_are_not_there': [
        'GetFiberRequest.name', 'ListFibersRequest.parent'],
    'within the parent': ['CreateTokenRequest.token_id'],
    'for the audit log': ['RevokeTokenRequest.reason'],
    'of one to be made: not looked at': [
        'Token.name', 'Token.display_prefix', 'Token.created_by', 'Token.rotated_to'],
}

# Full name of the field -> why.
NAMES_NOTHING = {f'grove.v1.{field}': why for why, fields in _WHY.items() for field in fields} | {
    'google.protobuf.Any.type_url': 'of a task to be changed: no mask names it',
    'google.protobuf.FieldMask.paths': 'names fields',
    'google.rpc.Status.message': 'of a task to be changed: no mask names it',
}

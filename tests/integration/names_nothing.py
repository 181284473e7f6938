"""What isolation_test.py has to know of requests: which texts name nothing of a tenant's, and why;
and what a request needs besides.
"""

from grove_api import duration

_WHY = {
    'everybody\'s or the tenant\'s own; worker_gateway_test': [
        'TaskSpec.function', 'ListTasksRequest.function'],
    'says what the input is': ['TaskSpec.content_type'],
    'of the tenant; test_request_ids_are_the_tenants_own': ['TaskSpec.request_id'],
    'of the tenant\'s function; unique_keys_test': ['UniqueKey.key'],
    'the task\'s or the queue\'s own': [
        'TaskSpec.LabelsEntry.key', 'TaskSpec.LabelsEntry.value', 'BatchChangeTasksRequest.reason',
        'CancelTaskRequest.reason', 'ForceCancelTaskRequest.reason', 'PauseQueueRequest.reason',
        'PauseTaskRequest.reason', 'PurgeQueueRequest.reason'],
    'looked for among the parent\'s tasks alone': [
        'TaskFilter.LabelsEntry.key', 'TaskFilter.LabelsEntry.value', 'TaskFilter.error_reason',
        'TaskFilter.function', 'TaskFilter.names', 'TaskFilter.parent_task',
        'TaskFilter.sequence_key', 'TaskFilter.text', 'TaskFilter.worker'],
    'names a field': ['ListTasksRequest.order_by'],
    'of the parent alone': [
        'DeleteLimitRequest.pattern', 'Limit.pattern', 'ListLimitsRequest.key_prefix'],
    'of the tenant; after_test and sequences_test': [
        'Sequence.key', 'TaskSpec.after', 'BatchSpawnTasksRequest.request_id'],
    'nothing is read there: it is sent to': ['Webhook.url'],
    'ids of whoever traces, passed on': ['TaskSpec.traceparent', 'TaskSpec.tracestate'],
    'of the tenant; limit_keys are counted for each by itself': ['TaskSpec.limit_keys'],
    'of a task to be changed: no mask names it': [
        'TaskSpec.queue', 'TaskSpec.input_payload',
        'Attempt.fiber', 'Attempt.worker', 'Task.output_content_type',
        'Task.output_payload',
        'Task.parent_task', 'Task.pause_reason', 'Task.progress_message', 'Task.retry_of',
        'Task.suspended_for', 'Task.waiting_reason', 'Task.webhook_task',
        'WaitExplanation.subject', 'WaitExplanation.text'],
    'a worker\'s; test_fibers_of_others_are_not_there': [
        'GetFiberRequest.name', 'ListFibersRequest.parent'],
    'within the parent': ['CreateTokenRequest.token_id', 'CreateScheduleRequest.schedule_id'],
    'the schedule\'s own': [
        'PauseScheduleRequest.reason', 'RunScheduleRequest.request_id',
        'Schedule.cron_expressions', 'Schedule.etag', 'Schedule.time_zone',
        'DeleteScheduleRequest.etag'],
    'of a schedule to be made or changed: not looked at': [
        'Schedule.name', 'Schedule.pause_reason', 'Schedule.running_tasks', 'ScheduleRun.task',
        'ScheduleDeclaration.program'],
    'of one to be written: not looked at': ['Payload.name'],
    'what a payload is to be': ['Payload.content_type', 'Payload.sha256'],
    'for the audit log': ['RevokeTokenRequest.reason'],
    'the worker\'s own; worker_gateway_test': [
        'WorkerRegistration.session', 'WorkerRegistration.worker', 'WorkerRegistration.host',
        'WorkerRegistration.runtime', 'RunningAttempt.attempt', 'RunningAttempt.task',
        'AttemptReport.attempt', 'AttemptReport.message', 'AttemptResult.attempt',
        'AttemptOutput.content_type', 'AttemptSuspension.tasks'],
    'of the worker\'s tenant': [
        'Function.name', 'Function.description', 'Function.input_example', 'Function.queue'],
    'of one to be made: not looked at': [
        'Token.name', 'Token.display_prefix', 'Token.created_by', 'Token.rotated_to'],
}

# Full name of the field -> why.
NAMES_NOTHING = {f'grove.v1.{field}': why for why, fields in _WHY.items() for field in fields} | {
    'google.protobuf.Any.type_url': 'of a task to be changed: no mask names it',
    'google.protobuf.FieldMask.paths': 'names fields',
    'google.rpc.Status.message': 'of a task to be changed: no mask names it',
}

# What a request must have beside the name that is tried, to get as far as to the name.
NEEDED = {
    '/grove.v1.TaskService/SpawnTask': {'spec': {'function': 'echo'}},
    '/grove.v1.TaskService/BatchSpawnTasks': {
        'specs': [{'function': 'echo'}], 'completion': {'function': 'echo'}},
    '/grove.v1.TaskService/SpawnTasks': {'specs': [{'function': 'echo'}]},
    # All there is comes first.
    '/grove.v1.TaskService/WatchTasks': {'with_existing': True},
    # A wait must end.
    '/grove.v1.TaskService/WaitTask': {'timeout': duration(0.001)},
    '/grove.v1.TaskService/BatchWaitTasks': {'timeout': duration(0.001)},
    '/grove.v1.WorkerGatewayService/ConnectWorker': {'registration': {
        'session': 'ofnobodyelseever', 'capacity': 1,
        'functions': [{'name': 'own'}]}},
    '/grove.v1.PayloadService/WritePayload': {'payload': {}, 'data': b'1'},
    '/grove.v1.TenantService/CreateToken': {'token': {'roles': [1]}},
    '/grove.v1.TenantService/SetLimit': {'limit': {'pattern': 'amber-*', 'running_max': 1}},
    '/grove.v1.TaskService/BatchChangeTasks': {
        'filter': {'function': 'echo'}, 'validate_only': True, 'cancel': {}},
    '/grove.v1.TaskService/UpdateTask': {'update_mask': {'paths': ['spec.priority']}},
    '/grove.v1.ScheduleService/CreateSchedule': {
        'schedule_id': 'tried', 'validate_only': True,
        'schedule': {'cron_expressions': ['@yearly'], 'spec': {'function': 'echo'}}},
    '/grove.v1.ScheduleService/UpdateSchedule': {
        'schedule': {'name': 'tenants/amber/schedules/own', 'spec': {'function': 'echo'}},
        'update_mask': {'paths': ['spec']}, 'validate_only': True},
}

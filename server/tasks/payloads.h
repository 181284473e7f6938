// Payloads: a task's input and output in an answer, as the view asks for them.
//
// Those of durable tasks are in the store (task_memory.h): an answer is made of what memory has,
// and what is missing is filled in from the store's record.
#ifndef GROVE_SERVER_TASKS_PAYLOADS_H_
#define GROVE_SERVER_TASKS_PAYLOADS_H_

#include <cstdint>

#include "grove/v1/task_service.pb.h"
#include "server/tasks/store.h"

namespace grove::tasks {

// An answer with several tasks ends before it passes this; a single task may be larger. With the
// default bounds of inputs and outputs, both stay below the 4 MiB that gRPC's clients take at most
// by default.
inline constexpr int64_t kAnswerBytesMax = 3 << 20;

v1::TaskView OrDefault(v1::TaskView view, v1::TaskView otherwise);
bool ShowsInput(v1::TaskView view);
bool ShowsOutput(v1::TaskView view);
// Of the message once its payloads are filled in.
int64_t AnswerBytes(const v1::Task& task, v1::TaskView view);
// Of a record as TaskStore::Read() gives it. False if it does not parse.
bool TakeStoredInput(const StoredTask& stored, std::string& input);
// False if the record does not parse.
bool FillPayload(const StoredTask& stored, v1::TaskView view, v1::Task& task);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_PAYLOADS_H_

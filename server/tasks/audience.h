// Audience: who reads an answer.
#ifndef GROVE_SERVER_TASKS_AUDIENCE_H_
#define GROVE_SERVER_TASKS_AUDIENCE_H_

namespace grove::tasks {

// What is said of the daemon as a whole is not for every tenant.
enum class Audience { kOperators, kTenant };

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_AUDIENCE_H_

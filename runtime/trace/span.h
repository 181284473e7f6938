// Span: a piece of work of a trace, with a beginning, an end, and what it was about.
//
// A Tracer says where the spans of a process go and which traces that begin here are told. What a
// fiber works for, and its tracer, are the fiber's own (CurrentTrace), and those that it spawns
// inherit both: code that makes a span needs no more than to run.
//
//   grove::SpanScope span("charge the card");
//   span->Set("order", order.id);
//
// A span whose trace is not told, or that has no tracer, costs a few instructions. Spans and scopes
// live on the stack of the fiber that makes them, and end in the reverse order.
#ifndef GROVE_RUNTIME_TRACE_SPAN_H_
#define GROVE_RUNTIME_TRACE_SPAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/trace/trace_context.h"

namespace grove {

// Numbered as OpenTelemetry's protocol does.
enum class SpanKind : uint8_t {
  kInternal = 1,
  kServer = 2,
  kClient = 3,
  kProducer = 4,
  kConsumer = 5
};

using SpanValue = std::variant<int64_t, bool, std::string>;

// What is told of a span that has ended.
struct SpanRecord {
  TraceContext context;
  uint64_t parent = 0;  // 0: it is the trace's first
  SpanKind kind = SpanKind::kInternal;
  std::string name;
  absl::Time start;
  absl::Time end;
  std::vector<std::pair<std::string, SpanValue>> attributes;
  bool failed = false;
  std::string error;
};

// Takes the spans that have ended. The seam between what is traced and who is told. Must not park.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void Take(std::unique_ptr<SpanRecord> span) = 0;
};

// Hub thread only.
class Tracer {
 public:
  // `sink` must outlive it, and both every fiber that runs for a trace of it.
  // `sampled_per_million`: of traces that begin here; of others their callers have decided.
  Tracer(SpanSink& sink, int64_t sampled_per_million)
      : sink_(sink), sampled_per_million_(sampled_per_million) {}

  // Of a span within `parent`; without a span there, of the first one of its trace; without a trace
  // of the first one of a new one.
  TraceContext Begin(const TraceContext& parent);
  SpanSink& sink() const { return sink_; }

 private:
  uint64_t NewId();

  SpanSink& sink_;
  const int64_t sampled_per_million_;
  absl::BitGen random_;
};

// What a fiber works for.
struct CurrentTrace {
  TraceContext context;      // not valid: for none
  Tracer* tracer = nullptr;  // null: what it does is told nobody, its context is passed on

  // Of the running fiber; null: it works for none. Stands until the scope around it ends. Outside
  // of fibers: null.
  static const CurrentTrace* Find();
};

// The running fiber works for another trace, until the end of a scope.
class TraceScope {
 public:
  // With a context that is not valid: for none.
  TraceScope(TraceContext context, Tracer* tracer);
  // For none.
  TraceScope() : TraceScope({}, nullptr) {}
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  bool changed_ = false;
  bool had_ = false;
  CurrentTrace before_;
};

class Span {
 public:
  // Within what the running fiber works for; if that is nothing, none.
  explicit Span(SpanKind kind);
  // Within `parent`, as Tracer::Begin() has it. Null: a tracer is not to be had, and the context is
  // the parent's.
  Span(Tracer* tracer, const TraceContext& parent, SpanKind kind);
  // Tells its end.
  ~Span();
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  // Whether it will be told: what takes effort to say needs not be said else.
  bool recording() const { return record_ != nullptr; }
  // What work within it is to be part of. Not valid: there is no trace.
  const TraceContext& context() const { return context_; }
  Tracer* tracer() const { return tracer_; }

  void set_name(std::string_view name) {
    if (recording()) record_->name = std::string(name);
  }
  // `value`: a whole number, a truth, or a text.
  template <typename T>
  void Set(std::string_view key, const T& value) {
    if (!recording()) return;
    if constexpr (std::is_same_v<T, bool>) {
      Add(key, SpanValue(value));
    } else if constexpr (std::is_integral_v<T>) {
      Add(key, SpanValue(static_cast<int64_t>(value)));
    } else {
      Add(key, SpanValue(std::string(std::string_view(value))));
    }
  }
  // It has not succeeded. `kind`: of error, in few words that stay the same.
  void Fail(std::string_view kind, std::string_view message = {});
  void Fail(const absl::Status& status);

 private:
  void Start(const TraceContext& parent, SpanKind kind);
  void Add(std::string_view key, SpanValue value) {
    record_->attributes.emplace_back(key, std::move(value));
  }

  TraceContext context_;
  Tracer* tracer_ = nullptr;
  std::unique_ptr<SpanRecord> record_;
};

// A span that the running fiber works for until the end of a scope.
class SpanScope {
 public:
  explicit SpanScope(std::string_view name, SpanKind kind = SpanKind::kInternal)
      : span_(kind), scope_(span_.context(), span_.tracer()) {
    span_.set_name(name);
  }
  Span* operator->() { return &span_; }

 private:
  Span span_;
  TraceScope scope_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TRACE_SPAN_H_

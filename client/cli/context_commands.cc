#include <filesystem>
#include <string>

#include "client/cli/command.h"
#include "client/cli/contexts.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

using Json = nlohmann::ordered_json;

// The file and what stands in it.
struct Book {
  std::string path;
  Contexts contexts;
};

absl::StatusOr<Book> OpenBook(const Command& command) {
  absl::StatusOr<std::string> path = ContextsPath(command.shell.environment);
  if (!path.ok()) return path.status();
  absl::StatusOr<Contexts> contexts = ReadContexts(*path);
  if (!contexts.ok()) return contexts.status();
  return Book{*path, *contexts};
}

Json ToJson(const std::string& name, const Context& context, bool current) {
  return {{"name", name},
          {"current", current},
          {"address", context.address},
          {"ca_cert", context.ca_cert},
          {"token_file", context.token_file},
          {"client_cert", context.client_cert},
          {"client_key", context.client_key}};
}

// Another folder may be the current one when it is read.
std::string AbsolutePath(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).string();
}

void Show(Command& command, const std::string& name, const Context& context, bool current) {
  Print(command, ToJson(name, context, current), [&] {
    return RenderFields({{"name", name},
                         {"address", context.address},
                         {"ca_cert", context.ca_cert},
                         {"token_file", context.token_file},
                         {"client_cert", context.client_cert},
                         {"client_key", context.client_key},
                         {"current", current ? "yes" : "no"}},
                        command.ToLook());
  });
}

// Refuses what belongs into no file.
absl::Status CheckSet(const Command& command, const std::string& name, const Context& context) {
  if (name.empty() || name.starts_with("-")) {
    return UsageError(StrCat("\"", name, "\" is no name of a context"));
  }
  if (command.arguments.Value("token")) {
    return UsageError("a context holds no token: write it to a file and give --token_file");
  }
  if (context.client_cert.empty() != context.client_key.empty()) {
    return UsageError("--client_cert and --client_key: want both or none");
  }
  if (context.address.empty()) return UsageError("a new context needs --address");
  ClientOptions options;
  options.address = context.address;
  auto checked = Client::Create(options);
  return checked.ok() ? absl::OkStatus() : UsageError(Std(checked.status().message()));
}

}  // namespace

absl::Status RunContextList(Command& command) {
  absl::StatusOr<Book> book = OpenBook(command);
  if (!book.ok()) return book.status();
  const Contexts& contexts = book->contexts;
  Table table({{"CONTEXT", Column::Kind::kId},
               "CURRENT",
               {"ADDRESS", Column::Kind::kId},
               "TOKEN FILE",
               "CA CERT",
               "CLIENT CERT"});
  Json list = Json::array();
  for (const auto& [name, context] : contexts.by_name) {
    const bool current = name == contexts.current;
    table.Add({name, current ? "*" : "", context.address, context.token_file, context.ca_cert,
               context.client_cert});
    list.push_back(ToJson(name, context, current));
  }
  PrintList(command, Json{{"contexts", list}}, "contexts",
            [&] { return table.Render(command.ToLook()); });
  return absl::OkStatus();
}

absl::Status RunContextUse(Command& command) {
  absl::StatusOr<Book> book = OpenBook(command);
  if (!book.ok()) return book.status();
  const std::string& name = command.arguments.positional()[0];
  absl::StatusOr<Context> context = FindContext(book->contexts, name, book->path);
  if (!context.ok()) return context.status();
  book->contexts.current = name;
  absl::Status status = WriteContexts(book->path, book->contexts);
  if (status.ok()) Show(command, name, *context, true);
  return status;
}

absl::Status RunContextShow(Command& command) {
  absl::StatusOr<Book> book = OpenBook(command);
  if (!book.ok()) return book.status();
  const auto& arguments = command.arguments.positional();
  const std::string name = arguments.empty() ? book->contexts.current : arguments[0];
  if (name.empty()) {
    return absl::NotFoundError(
        StrCat("no context is in use in ", book->path, "; grovectl context use sets one"));
  }
  absl::StatusOr<Context> context = FindContext(book->contexts, name, book->path);
  if (!context.ok()) return context.status();
  Show(command, name, *context, name == book->contexts.current);
  return absl::OkStatus();
}

absl::Status RunContextSet(Command& command) {
  absl::StatusOr<Book> book = OpenBook(command);
  if (!book.ok()) return book.status();
  const std::string& name = command.arguments.positional()[0];
  const auto found = book->contexts.by_name.find(name);
  Context context = found == book->contexts.by_name.end() ? Context() : found->second;
  context.address = command.arguments.ValueOr("address", context.address);
  context.ca_cert = AbsolutePath(command.arguments.ValueOr("ca_cert", context.ca_cert));
  context.client_cert = AbsolutePath(command.arguments.ValueOr("client_cert", context.client_cert));
  context.client_key = AbsolutePath(command.arguments.ValueOr("client_key", context.client_key));
  context.token_file = AbsolutePath(command.arguments.ValueOr("token_file", context.token_file));
  absl::Status status = CheckSet(command, name, context);
  if (!status.ok()) return status;
  // The first one is meant.
  if (book->contexts.by_name.empty()) book->contexts.current = name;
  book->contexts.by_name[name] = context;
  status = WriteContexts(book->path, book->contexts);
  if (status.ok()) Show(command, name, context, name == book->contexts.current);
  return status;
}

absl::Status RunContextDelete(Command& command) {
  absl::StatusOr<Book> book = OpenBook(command);
  if (!book.ok()) return book.status();
  const std::string& name = command.arguments.positional()[0];
  absl::StatusOr<Context> context = FindContext(book->contexts, name, book->path);
  if (!context.ok()) return context.status();
  book->contexts.by_name.erase(name);
  if (book->contexts.current == name) book->contexts.current.clear();
  return WriteContexts(book->path, book->contexts);
}

}  // namespace grove::client::cli

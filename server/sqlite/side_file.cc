#include "server/sqlite/side_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove::sqlite {
namespace {

// Before SQLite does, which goes by the umask: what is in it is nobody's to read.
absl::Status CreatePrivate(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    const std::string text = StrCat("open ", path, ": ", strerror(errno));
    return errno == EACCES || errno == EPERM || errno == EROFS ? absl::PermissionDeniedError(text)
                                                               : absl::UnavailableError(text);
  }
  close(fd);
  return absl::OkStatus();
}

absl::Status CheckFormat(const Connection& connection, const std::string& path,
                         const SideFormat& format) {
  const auto application = connection.QueryNumber("PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*application != format.application_id) {
    return absl::FailedPreconditionError(
        StrCat(path, " is a database of another program; move it away or use another --state_dir"));
  }
  const auto version = connection.QueryNumber("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == format.schema_version) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat(path, " has schema version ", *version, ", this program reads version ",
             format.schema_version, "; use the program that wrote it or another --state_dir"));
}

}  // namespace

absl::StatusOr<Connection> OpenSideFile(const std::string& path, const SideFormat& format) {
  if (absl::Status created = CreatePrivate(path); !created.ok()) return created;
  auto connection = Connection::Open(path, Connection::Missing::kRefuse);
  if (!connection.ok()) return connection.status();
  const auto tables = connection->QueryNumber("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  if (*tables > 0) {
    if (absl::Status fits = CheckFormat(*connection, path, format); !fits.ok()) return fits;
  }
  absl::Status set_up =
      connection->Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  if (set_up.ok() && *tables == 0) {
    set_up = connection->Execute(StrCat(
        "BEGIN IMMEDIATE;", format.create_tables, "PRAGMA application_id = ", format.application_id,
        "; PRAGMA user_version = ", format.schema_version, "; COMMIT;"));
  }
  if (!set_up.ok()) return set_up;
  return connection;
}

absl::StatusOr<PlaceOfFile> PlaceOfFile::Of(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) {
    return absl::UnavailableError(StrCat("stat ", path, ": ", strerror(errno)));
  }
  PlaceOfFile place;
  place.path_ = path;
  place.device_ = file.st_dev;
  place.inode_ = file.st_ino;
  return place;
}

absl::Status PlaceOfFile::Check() const {
  struct stat file {};
  const bool there = stat(path_.c_str(), &file) == 0;
  if (there && file.st_dev == device_ && file.st_ino == inode_) return absl::OkStatus();
  return absl::UnavailableError(StrCat(path_, there ? " was replaced" : " was taken away",
                                       " while it was open; put it back"));
}

Binder& Binder::operator<<(int64_t value) {
  sqlite3_bind_int64(statement_, ++parameter_, value);
  return *this;
}

Binder& Binder::operator<<(const std::string& text) {
  sqlite3_bind_text64(statement_, ++parameter_, text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Binder& Binder::Bytes(std::string_view bytes) {
  sqlite3_bind_blob64(statement_, ++parameter_, bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}

std::string TextOf(sqlite3_stmt* row, int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
  return bytes == nullptr ? "" : std::string(bytes, sqlite3_column_bytes(row, column));
}

absl::Status RunStatement(const Connection& connection, sqlite3_stmt* statement) {
  const int code = connection.Step(statement);
  absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : connection.Error("write");
  sqlite3_reset(statement);
  // What was bound is the caller's and ends with this call.
  sqlite3_clear_bindings(statement);
  return status;
}

}  // namespace grove::sqlite

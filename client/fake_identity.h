// FakeIdentity: a key and a certificate that nobody else signed, for a server of a test.

#ifndef GROVE_CLIENT_FAKE_IDENTITY_H_
#define GROVE_CLIENT_FAKE_IDENTITY_H_

#include <string>

namespace grove::client {

// In PEM form.
struct FakeIdentity {
  std::string key;
  std::string certificate;
};

// Signed by itself, for 127.0.0.1, for an hour.
FakeIdentity MakeFakeIdentity();

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_IDENTITY_H_

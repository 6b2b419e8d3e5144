#include "base/uuid.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/text.hpp"

namespace sluice {
namespace {

bool hyphen_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

void set_version(Uuid& id, std::uint8_t version) {
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | (version << 4));
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
}

}  // namespace

std::string Uuid::to_string() const {
    std::string out;
    out.reserve(36);
    append_to(out);
    return out;
}

void Uuid::append_to(std::string& out) const {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (hyphen_before(i)) {
            out.push_back('-');
        }
        out.push_back(hex_digits[bytes[i] >> 4]);
        out.push_back(hex_digits[bytes[i] & 0x0f]);
    }
}

std::optional<Uuid> parse_uuid(std::string_view text) {
    if (text.size() != 36) {
        return std::nullopt;
    }
    Uuid id;
    std::size_t at = 0;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if (hyphen_before(i) && text[at++] != '-') {
            return std::nullopt;
        }
        const int high = hex_value(text[at++]);
        const int low = hex_value(text[at++]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return id;
}

Uuid uuid_v5(const Uuid& space, std::string_view name) {
    // Fetching the algorithm and making a context cost several times the digest itself.
    struct Sha1 {
        EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        ~Sha1() {
            EVP_MD_CTX_free(context);
            EVP_MD_free(algorithm);
        }
    };
    thread_local const Sha1 sha1;
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const bool ok = EVP_DigestInit_ex(sha1.context, sha1.algorithm, nullptr) == 1 &&
                    EVP_DigestUpdate(sha1.context, space.bytes.data(), space.bytes.size()) == 1 &&
                    EVP_DigestUpdate(sha1.context, name.data(), name.size()) == 1 &&
                    EVP_DigestFinal_ex(sha1.context, digest.data(), &size) == 1;
    check(ok && size == 20, "SHA-1 is available");
    Uuid id;
    std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
    set_version(id, 5);
    return id;
}

Uuid uuid_random() {
    Uuid id;
    check(RAND_bytes(id.bytes.data(), static_cast<int>(id.bytes.size())) == 1,
          "the random source answers");
    set_version(id, 4);
    return id;
}

}  // namespace sluice

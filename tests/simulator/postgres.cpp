#include "simulator/postgres.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.hpp"

namespace sluice::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto idle_in_transaction = 30s;

std::int64_t to_number(const std::string& text) { return std::stoll(text); }

OffsetKey key_of(const std::vector<std::string>& list, std::size_t at = 0) {
    return {list[at], static_cast<std::int32_t>(to_number(list[at + 1]))};
}

}  // namespace

void PgSession::request(PgRequest request, std::function<void(PgReply)> answer) {
    reply_ = {};
    answer_ = std::move(answer);
    if (ended_ || request_) {  // A request amid another one is a broken client's.
        reply_.ended = true;
        answer_(reply_);
        return;
    }
    ++requests_;
    request_ = std::move(request);
    statement_ = 0;
    go_on();
}

void PgSession::go_on() {
    const auto alive = shared_from_this();
    while (request_ && statement_ < request_->statements.size()) {
        std::string sqlstate;
        try {
            sqlstate = execute(request_->statements[statement_]);
        } catch (const Blocked&) {
            if (!gives_up_) {
                gives_up_ = server_.world_.scheduler.now() + lock_timeout_;
                server_.world_.scheduler.at(*gives_up_, [alive] { alive->retry(); });
            }
            return;
        }
        if (!sqlstate.empty()) {
            finish(sqlstate);
            return;
        }
        ++statement_;
    }
    finish({});
}

void PgSession::retry() {
    if (!gives_up_ || !request_) {
        return;
    }
    if (server_.world_.scheduler.now() >= *gives_up_) {
        finish("55P03");
        return;
    }
    go_on();
}

void PgSession::finish(std::string sqlstate) {
    request_.reset();
    gives_up_.reset();
    if (!sqlstate.empty()) {
        if (in_transaction_) {
            failed_ = true;
        }
        reply_.sqlstate = std::move(sqlstate);
    }
    watch_idle();
    answer_(std::move(reply_));
}

void PgSession::watch_idle() {
    if (in_transaction_) {
        server_.world_.scheduler.in(idle_in_transaction,
                                    [self = shared_from_this(), at = requests_] {
                                        if (self->in_transaction_ && self->requests_ == at) {
                                            self->end();
                                        }
                                    });
    }
}

void PgSession::end() {
    if (std::exchange(ended_, true)) {
        return;
    }
    undo();
    if (request_) {
        request_.reset();
        gives_up_.reset();
        reply_.ended = true;
        answer_(std::move(reply_));
    }
    server_.released();
}

void PgSession::undo() {
    in_transaction_ = false;
    failed_ = false;
    snapshot_ = false;
    snapshot_offsets_.clear();
    lock_timeout_ = 1h;
    written_.clear();
    changes_.clear();
    for (auto& [name, stage] : stages_) {
        stage.rows.clear();  // ON COMMIT DELETE ROWS
    }
    std::erase_if(server_.locks_, [this](const auto& entry) { return entry.second == this; });
}

bool PgSession::locks(const OffsetKey& key) const {
    const auto held = server_.locks_.find(key);
    return held != server_.locks_.end() && held->second == this;
}

void PgSession::lock(const OffsetKey& key) {
    const auto [held, fresh] = server_.locks_.try_emplace(key, this);
    if (held->second != this) {
        throw Blocked{};
    }
}

const OffsetRow* PgSession::offset(const OffsetKey& key) const {
    if (const auto own = written_.find(key); own != written_.end()) {
        return &own->second;
    }
    const auto row = server_.offsets_.find(key);
    return row == server_.offsets_.end() ? nullptr : &row->second;
}

std::string PgSession::execute(const Sentence& sentence) {
    PgResult result;
    std::string sqlstate;
    if (starts(sentence, {"sluice_refuse"})) {
        static constexpr std::array states{"40001", "40P01", "53300", "57014"};
        return states[static_cast<std::size_t>(server_.world_.random.below(states.size()))];
    }
    if (starts(sentence, {"ROLLBACK"})) {
        undo();
        server_.released();
    } else if (starts(sentence, {"COMMIT"})) {
        sqlstate = commit();
    } else if (failed_) {
        return "25P02";
    } else if (starts(sentence, {"BEGIN"})) {
        sqlstate = begin(sentence);
    } else if (starts(sentence, {"SET", "LOCAL", "lock_timeout"})) {
        lock_timeout_ = ms(to_number(sentence.back().text));
    } else if (starts(sentence, {"UPDATE", "sluice", ".", "offsets"})) {
        sqlstate = advance(sentence, result);
    } else if (starts(sentence, {"INSERT", "INTO", "sluice", ".", "offsets"})) {
        sqlstate = insert_offsets(sentence);
    } else if (has(sentence, {"next_offset", ",", "start", "FROM", "sluice", ".", "offsets"})) {
        sqlstate = read_offsets(sentence, result);
    } else if (has(sentence, {"FROM", "pg_attribute"})) {
        layout(sentence, result);
    } else if (starts(sentence, {"COPY"}) || starts(sentence, {"INSERT", "INTO"}) ||
               starts(sentence, {"DELETE", "FROM"}) || starts(sentence, {"TRUNCATE"}) ||
               starts(sentence, {"CREATE", "TEMPORARY", "TABLE"})) {
        sqlstate = change_table(sentence, result);
    } else if (!ask_server(sentence, result)) {
        server_.world_.fail("the model of PostgreSQL does not know this statement: " +
                            to_string(sentence));
        return "42601";
    }
    if (sqlstate.empty()) {
        reply_.results.push_back(std::move(result));
    }
    return sqlstate;
}

std::string PgSession::begin(const Sentence& sentence) {
    undo();
    in_transaction_ = true;
    snapshot_ = !has(sentence, {"READ", "COMMITTED"});
    snapshot_offsets_ = server_.offsets_;
    return {};
}

// UPDATE … SET next_offset = v."to" FROM (VALUES …) v WHERE …: with or without the condition on
// where the row stands, and on the topic's id. As at READ COMMITTED a row that does not match is
// not waited for, and one that was waited for is looked at again.
std::string PgSession::advance(const Sentence& sentence, PgResult& result) {
    const bool compares = has(sentence, {"next_offset", "=", "v", ".", "from"});
    const bool compares_topics = has(sentence, {"topic_id", "=", "v", ".", "topic_id"});
    auto lists = lists_after(sentence, find(sentence, {"VALUES"}) + 1);
    std::ranges::sort(lists);
    for (const auto& list : lists) {
        const OffsetKey key = key_of(list);
        const bool mine = written_.contains(key);
        const auto matches = [&] {
            const OffsetRow* row = offset(key);
            return row != nullptr && (!compares_topics || row->topic_id == list[4]) &&
                   (mine || !compares || row->next == to_number(list[2]));
        };
        if (!matches()) {
            continue;
        }
        lock(key);
        if (snapshot_ && snapshot_offsets_[key].next != server_.offsets_[key].next) {
            return "40001";
        }
        if (matches()) {
            OffsetRow moved = *offset(key);
            moved.next = to_number(list[3]);
            written_[key] = std::move(moved);
            ++result.affected;
        }
    }
    return {};
}

std::string PgSession::read_offsets(const Sentence& sentence, PgResult& result) {
    const bool locks = has(sentence, {"FOR", "UPDATE"});
    std::vector<OffsetKey> keys;
    if (const auto in = find(sentence, {"IN"}); in != nowhere) {
        for (const auto& list : lists_after(sentence, in + 2)) {
            keys.push_back(key_of(list));
        }
    } else {
        for (const auto& [key, row] : server_.offsets_) {
            keys.push_back(key);
        }
    }
    std::ranges::sort(keys);
    for (const auto& key : keys) {
        if (locks && server_.offsets_.contains(key)) {
            lock(key);
        }
    }
    for (const auto& key : keys) {
        if (const OffsetRow* row = offset(key)) {
            result.rows.push_back({key.first, std::to_string(key.second), row->topic_id,
                                   std::to_string(row->next), row->start});
        }
    }
    return {};
}

std::string PgSession::insert_offsets(const Sentence& sentence) {
    // Pipeline, topic, partition, topic id, its type, next offset, start.
    const bool overwrites = has(sentence, {"DO", "UPDATE"});
    for (const auto& list : lists_after(sentence, find(sentence, {"VALUES"}) + 1)) {
        const OffsetKey key = key_of(list, 1);
        if (overwrites || offset(key) == nullptr) {
            written_[key] = {.topic_id = list[3], .next = to_number(list[5]), .start = list[6]};
        }
    }
    return {};
}

}  // namespace sluice::sim

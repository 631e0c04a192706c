internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec

// Which instance a connection or session belongs to, and what follows when an instance changes.

/// An instance as one shard sees it: the rules as of the last change.
struct Tenant: Sendable {
    let instance: BrokerInstance
    /// Its name, empty where there is only one.
    let id: String
    // What every message needs, without a look into the object.
    let number: InstanceNumber
    let subscriptions: Unretained<SubscriptionIndex>
    private(set) var policies: Policies
    private(set) var limits: InstanceLimits
    /// Whether its events go into the trace.
    private(set) var isTraced: Bool
    /// Whether the messages a second are limited.
    private(set) var hasRate: Bool
    /// Of the instance's PUBLISH packets, those that this shard may still take in, and in which second.
    var permits = 0
    var permitSecond: Int64 = 0
    /// Connections and sessions of this shard that name it.
    var users = 0
    /// Whether the instance was deleted: it goes with the last user.
    var hasEnded = false

    init(_ instance: BrokerInstance, _ settings: InstanceSettings, hasTrace: Bool) {
        self.instance = instance
        id = settings.id
        number = instance.number
        subscriptions = Unretained(instance.subscriptions)
        policies = settings.policies
        limits = settings.limits
        isTraced = hasTrace && settings.policies.trace
        hasRate = settings.limits.hasRate
    }

    mutating func apply(_ settings: InstanceSettings, hasTrace: Bool) {
        policies = settings.policies
        limits = settings.limits
        isTraced = hasTrace && settings.policies.trace
        hasRate = settings.limits.hasRate
    }

    /// A limit of the process, or the instance's where that is lower; 0 is none of its own.
    static func lower(_ own: Int, _ process: Int) -> Int { own > 0 ? min(own, process) : process }
}

/// A client among its instance's clients.
struct SessionKey: Hashable, Sendable {
    let instance: InstanceNumber
    let clientID: ExactText

    init(_ instance: InstanceNumber, _ clientID: String) {
        self.instance = instance
        self.clientID = ExactText(clientID)
    }

    /// Another one in each process, so that nobody can choose client ids that share it.
    var hash: UInt64 { UInt64(bitPattern: Int64(hashValue)) }
}

extension Shard {
    /// The place of an instance in this shard's list; enters it if need be.
    mutating func tenant(of settings: InstanceSettings) -> Int {
        if let known = tenantsByNumber[settings.number] { return Int(known) }
        let new = Tenant(broker.instance(settings.number), settings, hasTrace: trace.capacity > 0)
        let place: Int
        if let free = freeTenants.popLast() {
            place = Int(free)
            tenants[place] = new
        } else {
            place = tenants.count
            tenants.append(new)
        }
        tenantsByNumber[settings.number] = Int32(truncatingIfNeeded: place)
        return place
    }

    /// A connection or session of the instance is gone.
    mutating func left(_ tenant: Int) {
        tenants[tenant].users -= 1
        letGo(tenant)
    }

    /// Forgets a deleted instance once nothing names it any more: a catalog may make and delete any number.
    private mutating func letGo(_ tenant: Int) {
        guard tenants[tenant].hasEnded, tenants[tenant].users == 0 else { return }
        let number = tenants[tenant].number
        // The place keeps the old one until another needs it: nobody reaches it.
        tenants[tenant].hasEnded = false
        tenantsByNumber[number] = nil
        freeTenants.append(Int32(truncatingIfNeeded: tenant))
        broker.forget(number, onShard: index)
    }

    /// Likewise, for a session or message that was kept; one of an instance that is gone has the rules of nobody.
    mutating func tenant(of number: InstanceNumber) -> Int {
        if let known = tenantsByNumber[number] { return Int(known) }
        return tenant(of: broker.instances.settings(of: number) ?? InstanceSettings(number: number))
    }

    /// The rules of the connection's instance.
    func policies(_ slot: Int) -> Policies { tenants[Int(connections[slot].tenant)].policies }

    /// The limits of the connection's instance.
    func instanceLimits(_ slot: Int) -> InstanceLimits { tenants[Int(connections[slot].tenant)].limits }

    /// The instance of the session.
    func instance(ofSession session: Int) -> BrokerInstance { tenants[Int(sessions[session].tenant)].instance }

    /// The session slot of a client.
    func session(_ tenant: Int, _ clientID: String) -> Int? {
        session(SessionKey(tenants[tenant].number, clientID))
    }

    func session(_ key: SessionKey) -> Int? {
        let found = sessionsByClientID.find(key.hash) { slot in
            let session = Int(slot)
            return tenants[Int(sessions[session].tenant)].number == key.instance
                && ExactText(sessions[session].clientID) == key.clientID
        }
        return found.map(Int.init)
    }

    /// An instance's rules have changed, or it was deleted: what may no longer be, ends.
    mutating func instanceChanged(_ number: InstanceNumber) {
        guard let settings = broker.instances.settings(of: number) else { return endInstance(number) }
        guard let tenant = tenantsByNumber[number].map(Int.init) else { return }
        let hadP2P = tenants[tenant].policies.p2p
        tenants[tenant].apply(settings, hasTrace: trace.capacity > 0)
        if settings.policies.p2p != hadP2P { changeP2P(tenant) }
        checkStanding(of: number)
        endForbiddenSubscriptions(of: number)
    }

    /// P2P was switched on or off: sessions get their addresses, and topics are looked at anew.
    private mutating func changeP2P(_ tenant: Int) {
        forEachSession(of: tenant) { shard, session in
            shard.enterAddress(session)
            guard shard.sessions[session].isConnected else { return }
            shard.connections[Int(shard.sessions[session].connection)].authorized.revision = .max
        }
    }

    private mutating func forEachSession(of tenant: Int, _ body: (inout Shard, Int) -> Void) {
        var next = sessions.firstOccupied(from: 0)
        while let session = next {
            next = sessions.firstOccupied(from: session + 1)
            if Int(sessions[session].tenant) == tenant { body(&self, session) }
        }
    }

    /// Ends all of an instance that was deleted: its connections and sessions on this shard, and its retained messages.
    private mutating func endInstance(_ number: InstanceNumber) {
        if let tenant = tenantsByNumber[number].map(Int.init) {
            refuseNewcomers(to: tenant)
            forEachSession(of: tenant) { $0.endWithInstance($1) }
        }
        // On every shard: another one may have taken a retained message before it heard of the end.
        if let retained = broker.liveInstances.first(where: { $0.number == number })?.retained {
            let scan = retained.scanAll()
            while !scan.isFinished {
                for message in scan.next(limit: 1_024) where retained.forget(message) {
                    if message.position != .none { store.finished(message.position, by: .retained) }
                }
            }
        }
        guard let tenant = tenantsByNumber[number].map(Int.init) else { return broker.forget(number, onShard: index) }
        tenants[tenant].hasEnded = true
        letGo(tenant)
    }

    private mutating func endWithInstance(_ session: Int) {
        // Nobody is left to read it.
        sessions[session].will = nil
        sessions[session].willDueAt = .distantFuture
        changeExpiry(session, seconds: 0)
        if sessions[session].isConnected {
            disconnect(Int(sessions[session].connection), .administrativeAction, Self.instanceDeleted)
        } else {
            endSession(session, .administrative)
        }
    }

    /// Those whose authentication is under way.
    private mutating func refuseNewcomers(to tenant: Int) {
        var next = connections.firstOccupied(from: 0)
        while let slot = next {
            next = connections.firstOccupied(from: slot + 1)
            if Int(connections[slot].tenant) == tenant, connections[slot].phase == .authenticating {
                refuse(slot, .notAuthorized, Self.instanceDeleted)
            }
        }
    }

    private static var instanceDeleted: String { "the instance was deleted" }
}

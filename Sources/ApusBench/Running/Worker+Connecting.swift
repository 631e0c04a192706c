internal import ApusCrypto
internal import ApusLoop
internal import ApusMemory
internal import MQTTCodec
internal import WebSocketCodec

/// The connections of one side while they are being made.
struct Dialling {
    var role = BenchNames.Role.subscriber
    var isClean = true
    var subscribes = true
    /// Whether a connection that fails is counted only.
    var isTolerant = false
    /// The next of the worker's publishers or subscribers, up to `end`.
    var next = 0
    var end = 0
    var inProgress = 0
    var failed = 0
    var limit = 1
    /// When each is due; nil makes `limit` at a time.
    var schedule: RateSchedule?

    /// Whether nothing is left to do.
    var isComplete: Bool { next >= end && inProgress == 0 }
    /// Whether what failed is no reason to stop.
    var isOverlooked: Bool { failed == 0 || isTolerant }
    var nextDue: Int64? { next < end ? schedule?.next : nil }
}

extension Worker {
    mutating func beginDialling(
        _ role: BenchNames.Role,
        isClean: Bool,
        subscribes: Bool,
        isTolerant: Bool,
        known isKnown: Bool,
    ) {
        var schedule: RateSchedule?
        if let rate = plan.connectRate {
            schedule = RateSchedule(start: now, perSecond: rate, part: index, of: plan.threads)
        }
        dialling = Dialling(
            role: role,
            isClean: isClean,
            subscribes: subscribes,
            isTolerant: isTolerant,
            end: isKnown ? known[role] : role == .publisher ? publishers.count : subscribers.count,
            limit: max(1, plan.concurrency / plan.threads),
            schedule: schedule,
        )
        // What broke and has gone altogether is no reason against a new beginning.
        if connectionCounts.isEmpty { isBroken = false }
    }

    /// Begins no further connection.
    mutating func stopDialling() {
        guard case .connecting = activity else { return }
        dialling.end = dialling.next
    }

    /// Whether all that had to connect have done so, and are still there.
    var isConnected: Bool { dialling.isOverlooked && (dialling.isTolerant || !isBroken) }

    /// Begins as many connections as may be under way.
    mutating func dial() {
        guard case .connecting = activity else { return }
        while dialling.next < dialling.end {
            var due = now
            if dialling.schedule != nil {
                guard let moment = dialling.schedule?.take(at: now) else { return }
                due = moment
            } else if dialling.inProgress >= dialling.limit {
                return
            }
            let number = dialling.next
            dialling.next += 1
            dialling.inProgress += 1
            dialOne(number, due: due)
        }
    }

    private mutating func dialOne(_ number: Int, due: Int64) {
        do {
            known[dialling.role] = max(known[dialling.role], number + 1)
            let source = target.source(thread: index, connection: dialled)
            dialled += 1
            let socket =
                if let source {
                    try Socket.connect(to: target.address, from: source)
                } else {
                    try Socket.connect(to: target.address)
                }
            let descriptor = socket.number
            let index = clients.insert(BenchClient(socket: socket, role: dialling.role, number: number, began: due))
            connectionCounts[dialling.role] += 1
            switch dialling.role {
            case .publisher: publishers[number].client = index
            case .subscriber:
                subscribers[number].client = index
                subscribers[number].filtersSent = dialling.subscribes ? 0 : routes.filterCount
            }
            try poller.add(descriptor, token: token(index))
        } catch {
            tally.add(.network(.system(error)))
            connectingFailed()
            // Each further one would fail in the same way.
            dialling.end = dialling.next
        }
    }

    private mutating func connectingFailed() {
        dialling.inProgress -= 1
        dialling.failed += 1
        tally.failedConnections += 1
        // A broker that is full stays full; that much is enough to know it.
        if !dialling.isTolerant || plan.workload == .idle && dialling.failed >= 100 { dialling.end = dialling.next }
    }

    /// Gives up what is under way.
    mutating func failDialling() {
        var next = clients.firstOccupied(from: 0)
        while let index = next {
            if clients[index].phase < .ready { lose(index, .silence) }
            next = clients.firstOccupied(from: index + 1)
        }
        dialling.end = dialling.next
    }

    // MARK: - Layers

    /// The socket can be written: the connection stands, or will not.
    mutating func dialled(_ index: Int) {
        let descriptor = clients[index].socket.number
        if let error = Socket.finishConnect(descriptor) { return lose(index, .network(.system(error))) }
        guard target.tls != nil || target.webSocket != nil else { return sendConnect(index) }
        var layer = ClientLayer()
        do {
            if let tls = target.tls {
                layer.tls = try TLSSession(tls, descriptor: descriptor, hostName: target.hostName)
            }
            if let place = target.webSocket {
                let nonce = try Machine.randomBytes(16)
                let handshake = try ClientHandshake(host: place.host, path: place.path, nonce: nonce)
                layer.accept = Handshake.acceptValue(digest: Digest.sha1(Handshake.acceptInput(key: handshake.key)))
                layer.handshake = handshake
            }
        } catch {
            return lose(index, .webSocket("\(error)"))
        }
        let position = layers.insert(layer)
        clients[index].layer = Int32(truncatingIfNeeded: position)
        if target.tls == nil { return sendUpgrade(index) }
        clients[index].phase = .tlsHandshake
        shakeHands(index)
    }

    mutating func shakeHands(_ index: Int) {
        guard let session = layers[Int(clients[index].layer)].tls else { return }
        switch session.handshake() {
        case .wantsRead, .wantsWrite: progress = now
        case .failed(let reason): lose(index, .network(.tls(reason)))
        case .done: if target.webSocket == nil { sendConnect(index) } else { sendUpgrade(index) }
        }
    }

    private mutating func sendUpgrade(_ index: Int) {
        clients[index].phase = .upgrade
        clients[index].isFramed = true
        guard let request = layers[Int(clients[index].layer)].handshake?.request else { return }
        clients[index].output.append(request.span, pool: &pool)
        markDirty(index)
    }

    /// Takes bytes of the answer to the upgrade.
    ///
    /// - Returns: how many of these bytes belong to the answer, once it is complete; nil before, and when it is refused.
    mutating func upgraded(_ bytes: Span<UInt8>, _ index: Int) -> Int? {
        let position = Int(clients[index].layer)
        let before = layers[position].answer.count
        layers[position].answer.append(copying: bytes)
        do {
            let accept = layers[position].accept
            let answer = layers[position].answer
            guard let end = try layers[position].handshake?.received(answer.span, accept: accept) else { return nil }
            layers[position].answer = []
            layers[position].handshake = nil
            layers[position].frames = WebSocketInput(from: .server)
            sendConnect(index)
            return end - before
        } catch {
            lose(index, .webSocket(Self.words(error)))
            return nil
        }
    }

    private static func words(_ failure: UpgradeFailure) -> String {
        switch failure {
        case .cannotAsk(let words), .malformed(let words): words
        case .refused(let status): "the server refused with status \(status)"
        case .wrongAccept: "the answer was not made for this request"
        case .wrongSubprotocol: "the server does not speak MQTT on this path"
        }
    }

    // MARK: - MQTT

    private mutating func sendConnect(_ index: Int) {
        let name = clientID(index)
        var packet = Connect(
            version: plan.version,
            clientIdentifier: name,
            cleanStart: dialling.isClean,
            keepAliveSeconds: plan.keepAliveSeconds,
            userName: userName(index),
            password: target.login.password(name),
        )
        // A session that outlives its connection is kept for a day, should nobody come to end it.
        if !dialling.isClean, plan.version == .v5 { packet.sessionExpiryInterval = 86_400 }
        clients[index].phase = .awaitingConnAck
        send(.connect(packet), index)
    }

    private func clientID(_ index: Int) -> String { names.clientID(clients[index].role, numberOfAll(index)) }

    private func userName(_ index: Int) -> String? {
        target.login.userName.map { names.userName($0, clients[index].role, numberOfAll(index)) }
    }

    /// Which of all publishers or subscribers a client is.
    private func numberOfAll(_ index: Int) -> Int {
        let number = clients[index].number
        return clients[index].role == .publisher ? publishers[number].index : subscribers[number].index
    }

    /// What the broker said, without the client's id and topics: the same reason is one problem, whoever hears it.
    func anonymous(_ reason: String?, _ index: Int) -> String? {
        guard var words = reason?.replacing(clientID(index), with: "…") else { return nil }
        let number = clients[index].number
        switch clients[index].role {
        case .publisher:
            if let topic = routes.steadyTopic(of: publishers[number].index) { words.replace(topic, with: "…") }
        case .subscriber:
            // Of hundreds of filters each would be looked for.
            guard routes.filterCount <= 4 else { break }
            for filter in 0..<routes.filterCount {
                words.replace(routes.filter(subscriber: subscribers[number].index, filter), with: "…")
            }
        }
        return words
    }

    private mutating func send(_ packet: Packet, _ index: Int) {
        scratch.removeAll(keepingCapacity: true)
        packet.encode(into: &scratch, version: plan.version)
        Self.append(scratch, to: index, &self.clients, &layers, &pool)
        markDirty(index)
    }

    mutating func accepted(_ packet: ConnAck, _ index: Int) {
        guard packet.reasonCode == .success else {
            return lose(index, .connectRefused(packet.reasonCode, anonymous(packet.reasonString, index)))
        }
        connectLatency.record(now - clients[index].began)
        if packet.sessionPresent { tally.sessionsPresent += 1 }
        if let seconds = packet.serverKeepAliveSeconds { shortenKeepAlive(to: seconds) }
        let number = clients[index].number
        if clients[index].role == .publisher {
            publishers[number].window.limit(to: Int(packet.receiveMaximum))
        } else if subscribers[number].filtersSent < routes.filterCount {
            clients[index].phase = .awaitingSubAck
            return sendFilters(index)
        }
        becomeReady(index)
    }

    /// At most 50 filters a packet, and one packet at a time, so that no broker has a reason to refuse it.
    private mutating func sendFilters(_ index: Int) {
        let number = clients[index].number
        let first = subscribers[number].filtersSent
        let end = min(first + 50, routes.filterCount)
        let options = SubscriptionOptions(qos: plan.subscribeQoS ?? plan.qos)
        let requests = (first..<end).map {
            Subscribe.Request(routes.filter(subscriber: subscribers[number].index, $0), options)
        }
        subscribers[number].filtersSent = end
        send(.subscribe(Subscribe(packetIdentifier: 1, requests: requests)), index)
    }

    mutating func subscribed(_ packet: SubAck, _ index: Int) {
        guard clients[index].phase == .awaitingSubAck else {
            return lose(index, .protocolViolation("a SUBACK that nobody waits for"))
        }
        for code in packet.reasonCodes {
            guard let granted = QoS(rawValue: code.rawValue) else {
                return lose(index, .subscribeRefused(code, anonymous(packet.reasonString, index)))
            }
            tally.leastGranted = min(tally.leastGranted ?? granted, granted)
            tally.filters += 1
        }
        progress = now
        if subscribers[clients[index].number].filtersSent < routes.filterCount { return sendFilters(index) }
        becomeReady(index)
    }

    private mutating func becomeReady(_ index: Int) {
        clients[index].phase = .ready
        dialling.inProgress -= 1
        tally.connected += 1
        progress = now
    }

    // MARK: - Ending

    /// Ends a connection that had to stay, and notes why it went.
    mutating func lose(_ index: Int, _ problem: Problem) {
        let phase = clients[index].phase
        if phase != .leaving {
            tally.add(problem)
            if phase < .ready { connectingFailed() } else { tally.brokenConnections += 1 }
            if phase == .ready || !dialling.isTolerant { isBroken = true }
        }
        drop(index)
    }

    /// The broker has closed, or the connection broke.
    mutating func ended(_ index: Int, _ failure: StreamFailure?) {
        switch clients[index].phase {
        case .upgrade: lose(index, .unanswered(.upgrade, failure))
        case .awaitingConnAck: lose(index, .unanswered(.connect, failure))
        case .dialling, .tlsHandshake, .awaitingSubAck, .ready, .leaving:
            lose(index, failure.map { .network($0) } ?? .closed)
        }
    }

    mutating func beginLeaving(_ role: BenchNames.Role) {
        activity = .leaving(role, until: now + 1_000_000_000)
        forEachClient(of: role) { worker, index in
            guard worker.clients[index].phase == .ready else { return worker.drop(index) }
            worker.clients[index].phase = .leaving
            worker.send(.disconnect(Disconnect()), index)
            worker.transmit(index)
            if worker.clients[index].output.isEmpty { Socket.shutdownWriting(worker.clients[index].socket.number) }
        }
    }

    /// Closes all connections of one side at once.
    mutating func drop(_ role: BenchNames.Role) {
        forEachClient(of: role) { worker, index in worker.drop(index) }
    }

    mutating func dropAll() {
        drop(.publisher)
        drop(.subscriber)
    }

    private mutating func forEachClient(of role: BenchNames.Role, _ body: (inout Worker, Int) -> Void) {
        var next = clients.firstOccupied(from: 0)
        while let index = next {
            if clients[index].role == role { body(&self, index) }
            next = clients.firstOccupied(from: index + 1)
        }
    }

    private mutating func drop(_ index: Int) {
        var client = clients.remove(at: index)
        client.output.removeAll(pool: &pool)
        // The session first: its socket is closed with the client.
        if client.layer >= 0 { _ = layers.remove(at: Int(client.layer)) }
        connectionCounts[client.role] -= 1
        switch client.role {
        case .publisher: publishers[client.number].client = nil
        case .subscriber: subscribers[client.number].client = nil
        }
    }
}

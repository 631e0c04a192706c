/// Certificates for the tests of registration, made once with OpenSSL and valid for a hundred years; the keys were thrown
/// away.
enum CertificateSamples {
    /// May sign others; its serial number is 0A1B2C3D.
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBcTCCARegAwIBAgIEChssPTAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApFeGFt
        cGxlIENBMCAXDTI2MTEyMzAyMTY1N1oYDzIxMjYxMDMwMDIxNjU3WjAVMRMwEQYD
        VQQDDApFeGFtcGxlIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKDHwbP4s
        mizvdxiK/ILYsCW1j1ko96BohYcnVob6RsDKDO/PiwMEtO5bxQPkW6INGV6kfmx3
        H5lpq8b7dhAymKNTMFEwHQYDVR0OBBYEFG8oK565a2AwWi5jKUX05QoY1qWlMB8G
        A1UdIwQYMBaAFG8oK565a2AwWi5jKUX05QoY1qWlMA8GA1UdEwEB/wQFMAMBAf8w
        CgYIKoZIzj0EAwIDSAAwRQIhANE91bnASM5rz61TpBFvYu4wNcqQtN4WikWVFnP0
        6QxeAiAWLq7I2eJE8BSgXtJYQvhIxHPxQ3VR0D3pd/MsNwm2pQ==
        -----END CERTIFICATE-----
        """

    /// Signed by the authority; its common name is the registration code of the fixture's first instance.
    static let verification = """
        -----BEGIN CERTIFICATE-----
        MIIBPDCB4wIURaK14qVXdXSl1Sj1nNxoAO0qpvwwCgYIKoZIzj0EAwIwFTETMBEG
        A1UEAwwKRXhhbXBsZSBDQTAgFw0yNjExMjMwMjE2NTdaGA8yMTI2MTAzMDAyMTY1
        N1owKzEpMCcGA1UEAwwgMTAzN2EwNTQ0ODVlNzA5YmI0NGU5M2JkMzE4YWFhMzUw
        WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASWTetSjRcU+tdYDOZ1F/1tO1MQe8CJ
        Rv+YZJR4PLoQkhpx69aq+hzEguR8xFyX3di4QzVBSxf/kAwwTioXGUiOMAoGCCqG
        SM49BAMCA0gAMEUCIQD8Ezvtwn7HL7vWwtBAM5xxPdwmumCA9oyLekDYLo42NAIg
        SQXIdRdhcj45tQUg6J4K9zlEoIpDZwh0f8cO1Z5IeZI=
        -----END CERTIFICATE-----
        """

    /// Signed by the authority, with another common name.
    static let otherName = """
        -----BEGIN CERTIFICATE-----
        MIIBITCByAIURaK14qVXdXSl1Sj1nNxoAO0qpv0wCgYIKoZIzj0EAwIwFTETMBEG
        A1UEAwwKRXhhbXBsZSBDQTAgFw0yNjExMjMwMjE2NTdaGA8yMTI2MTAzMDAyMTY1
        N1owEDEOMAwGA1UEAwwFd3JvbmcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASo
        Cfpzs8WGUjbdSaZ+wSGqs7O52UMGbhOt/VMgbOF4hp8rFxmLlIUYVWAoRbU+fXqi
        Bf0S9u08yjL9WArxmINOMAoGCCqGSM49BAMCA0gAMEUCIETiJZmPTmNs8ywuMEOo
        0uelYBhDiZ7viBUmJMAPDBRXAiEAxLIqskAWfeCfBL05qbCB83vYrvNgIQTUw5U+
        T9jG83g=
        -----END CERTIFICATE-----
        """

    /// With the right common name, signed by itself.
    static let stranger = """
        -----BEGIN CERTIFICATE-----
        MIIBrDCCAVOgAwIBAgIUDBAIsv3Xe4H6xnT7A2fsYm3smi0wCgYIKoZIzj0EAwIw
        KzEpMCcGA1UEAwwgMTAzN2EwNTQ0ODVlNzA5YmI0NGU5M2JkMzE4YWFhMzUwIBcN
        MjYxMTIzMDIxNjU3WhgPMjEyNjEwMzAwMjE2NTdaMCsxKTAnBgNVBAMMIDEwMzdh
        MDU0NDg1ZTcwOWJiNDRlOTNiZDMxOGFhYTM1MFkwEwYHKoZIzj0CAQYIKoZIzj0D
        AQcDQgAEbVJP2QKfZfuTBHERqdCj2mXYa/KHPvcXh64n57Qnr9xPGJvwLAhFqdvl
        2ppGcjwGr/D1j3K+wtZTVu4Gc0zQ8aNTMFEwHQYDVR0OBBYEFLEa5acTJ7CSzZMf
        +pXiK85NOarUMB8GA1UdIwQYMBaAFLEa5acTJ7CSzZMf+pXiK85NOarUMA8GA1Ud
        EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgHXfvn6tFLKCljMRFDQfM/nCI
        mBnd9exckrFZPzwfBNkCIGffAMKlJQyuCS6bs4bwzzl30ayKrTfv70KoKeplYkt4
        -----END CERTIFICATE-----
        """
}

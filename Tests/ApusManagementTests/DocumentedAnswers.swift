/// The fields of all answers with their types, as the vendor documents them (apsaramq-facts 4.4, 4.5): a line for each
/// action and version, with `path:type` for each field.
enum DocumentedAnswers {
    static let text = """
        ActiveCaCertificate 2020-04-20 RequestId:String Sn:String
        ActiveDeviceCertificate 2020-04-20 DeviceSn:String RequestId:String
        AddCustomAuthConnectBlack 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        AddCustomAuthIdentity 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        AddCustomAuthPermission 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        ApplyToken 2020-04-20 RequestId:String Token:String
        BatchQuerySessionByClientIds 2020-04-20 OnlineStatusList:[object] OnlineStatusList.ClientId:String \
        OnlineStatusList.OnlineStatus:Bool RequestId:String
        CloseConnection 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        CreateGroupId 2020-04-20 RequestId:String
        DeleteCaCertificate 2020-04-20 RequestId:String Sn:String
        DeleteCustomAuthConnectBlack 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        DeleteCustomAuthIdentity 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        DeleteCustomAuthPermission 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        DeleteDeviceCertificate 2020-04-20 DeviceSn:String RequestId:String
        DeleteGroupId 2020-04-20 RequestId:String
        DisasterDowngrade 2020-04-20 AccessDeniedDetail:String Code:Integer Message:String RequestId:String \
        Success:Bool
        DisasterRecovery 2020-04-20 AccessDeniedDetail:String Code:Integer Message:String RequestId:String \
        Success:Bool
        GetCaCertificate 2020-04-20 Data:object Data.CaContent:String Data.CaName:String \
        Data.RegistrationCode:String Data.Sn:String Data.Status:String Data.ValidBegin:String Data.ValidEnd:String \
        Data.VerificationContent:String RequestId:String
        GetDeviceCertificate 2020-04-20 Data:object Data.CaSn:String Data.DeviceContent:String \
        Data.DeviceName:String Data.DeviceSn:String Data.Status:String Data.ValidBegin:String Data.ValidEnd:String \
        RequestId:String
        GetDeviceCredential 2020-04-20 DeviceCredential:object DeviceCredential.ClientId:String \
        DeviceCredential.CreateTime:Long DeviceCredential.DeviceAccessKeyId:String \
        DeviceCredential.DeviceAccessKeySecret:String DeviceCredential.InstanceId:String \
        DeviceCredential.UpdateTime:Long RequestId:String
        GetRegisterCode 2020-04-20 RegisterCode:String RequestId:String
        InactivateCaCertificate 2020-04-20 RequestId:String Sn:String
        InactivateDeviceCertificate 2020-04-20 DeviceSn:String RequestId:String
        ListCaCertificate 2020-04-20 Data:object Data.CaCertificateVOS:[object] \
        Data.CaCertificateVOS.CaContent:String Data.CaCertificateVOS.CaName:String \
        Data.CaCertificateVOS.RegistrationCode:String Data.CaCertificateVOS.Sn:String \
        Data.CaCertificateVOS.Status:String Data.CaCertificateVOS.ValidBegin:String \
        Data.CaCertificateVOS.ValidEnd:String Data.CaCertificateVOS.VerificationContent:String Data.PageNo:Integer \
        Data.PageSize:Integer Data.Total:Integer RequestId:String
        ListDeviceCertificate 2020-04-20 Data:object Data.DeviceCertificateVOS:[object] \
        Data.DeviceCertificateVOS.CaSn:String Data.DeviceCertificateVOS.DeviceContent:String \
        Data.DeviceCertificateVOS.DeviceName:String Data.DeviceCertificateVOS.DeviceSn:String \
        Data.DeviceCertificateVOS.Status:String Data.DeviceCertificateVOS.ValidBegin:String \
        Data.DeviceCertificateVOS.ValidEnd:String Data.PageNo:Integer Data.PageSize:Integer Data.Total:Integer \
        RequestId:String
        ListDeviceCertificateByCaSn 2020-04-20 Data:object Data.DeviceCertificateVOS:[object] \
        Data.DeviceCertificateVOS.CaSn:String Data.DeviceCertificateVOS.DeviceContent:String \
        Data.DeviceCertificateVOS.DeviceName:String Data.DeviceCertificateVOS.DeviceSn:String \
        Data.DeviceCertificateVOS.Status:String Data.DeviceCertificateVOS.ValidBegin:String \
        Data.DeviceCertificateVOS.ValidEnd:String Data.PageNo:Integer Data.PageSize:Integer Data.Total:Integer \
        RequestId:String
        ListDeviceCredentialClientId 2020-04-20 DeviceCredentialClientIdList:object \
        DeviceCredentialClientIdList.ClientIdList:[String] DeviceCredentialClientIdList.NextToken:String \
        DeviceCredentialClientIdList.PageNo:String DeviceCredentialClientIdList.PageSize:String \
        DeviceCredentialClientIdList.Total:String RequestId:String
        ListGroupId 2020-04-20 Data:[object] Data.CreateTime:Long Data.GroupId:String Data.IndependentNaming:Bool \
        Data.InstanceId:String Data.Tags:[object] Data.Tags.TagKey:String Data.Tags.TagValue:String \
        Data.UpdateTime:Long RequestId:String
        ListInstances 2020-04-20 Code:String Instances:[object] Instances.CreateTime:Long \
        Instances.ExpireTime:Long Instances.InstanceId:String Instances.InstanceName:String \
        Instances.InstanceStatus:Integer Instances.InstanceType:Integer Instances.KernelVersion:String \
        Instances.MqttTags:[object] Instances.MqttTags.TagKey:String Instances.MqttTags.TagValue:String \
        Instances.OrderId:String Instances.RegionId:String Instances.Specific:String Message:String \
        RequestId:String Success:String
        ListTagResources 2020-04-20 Code:String Message:String NextToken:String RequestId:String Success:String \
        TagResources:[object] TagResources.ResourceId:String TagResources.ResourceType:String \
        TagResources.TagKey:String TagResources.TagValue:String
        QueryCustomAuthConnectBlack 2020-04-20 Code:Integer Data:object Data.NextToken:String \
        Data.Results:[object] Data.Results.ClientId:String Data.Results.Effect:String \
        Data.Results.PermitAction:String Message:String RequestId:String Success:Bool
        QueryCustomAuthIdentity 2020-04-20 Code:Integer Data:object Data.NextToken:String Data.Results:[object] \
        Data.Results.ClientId:String Data.Results.IdentityType:String Data.Results.Secret:String \
        Data.Results.SignMode:String Data.Results.Username:String Message:String RequestId:String Success:Bool
        QueryCustomAuthPermission 2020-04-20 Code:Integer Data:object Data.NextToken:String Data.Results:[object] \
        Data.Results.Effect:String Data.Results.Identity:String Data.Results.IdentityType:String \
        Data.Results.PermitAction:String Data.Results.Topic:String Message:String RequestId:String Success:Bool
        QueryMqttTraceDevice 2020-04-20 CurrentPage:Integer DeviceInfoList:[object] DeviceInfoList.Action:String \
        DeviceInfoList.ActionCode:String DeviceInfoList.ActionInfo:String DeviceInfoList.ChannelId:String \
        DeviceInfoList.Time:String PageSize:Integer RequestId:String Total:Integer
        QueryMqttTraceMessageOfClient 2020-04-20 CurrentPage:Integer MessageOfClientList:[object] \
        MessageOfClientList.Action:String MessageOfClientList.ActionCode:String \
        MessageOfClientList.ActionInfo:String MessageOfClientList.ClientId:String MessageOfClientList.MsgId:String \
        MessageOfClientList.Time:String PageSize:Integer RequestId:String Total:Integer
        QueryMqttTraceMessagePublish 2020-04-20 MessageTraceLists:[object] MessageTraceLists.Action:String \
        MessageTraceLists.ActionCode:String MessageTraceLists.ActionInfo:String MessageTraceLists.ClientId:String \
        MessageTraceLists.MsgId:String MessageTraceLists.Time:String RequestId:String
        QueryMqttTraceMessageSubscribe 2020-04-20 CurrentPage:Integer MessageTraceLists:[object] \
        MessageTraceLists.Action:String MessageTraceLists.ActionCode:String MessageTraceLists.ActionInfo:String \
        MessageTraceLists.ClientId:String MessageTraceLists.MsgId:String MessageTraceLists.Time:String \
        PageSize:Integer RequestId:String Total:Integer
        QuerySessionByClientId 2020-04-20 OnlineStatus:Bool RequestId:String
        QueryToken 2020-04-20 RequestId:String TokenStatus:Bool
        RefreshDeviceCredential 2020-04-20 DeviceCredential:object DeviceCredential.ClientId:String \
        DeviceCredential.CreateTime:Long DeviceCredential.DeviceAccessKeyId:String \
        DeviceCredential.DeviceAccessKeySecret:String DeviceCredential.InstanceId:String \
        DeviceCredential.UpdateTime:Long RequestId:String
        RegisterCaCertificate 2020-04-20 RequestId:String Sn:String
        RegisterDeviceCredential 2020-04-20 DeviceCredential:object DeviceCredential.ClientId:String \
        DeviceCredential.CreateTime:Long DeviceCredential.DeviceAccessKeyId:String \
        DeviceCredential.DeviceAccessKeySecret:String DeviceCredential.InstanceId:String \
        DeviceCredential.UpdateTime:Long RequestId:String
        RevokeToken 2020-04-20 RequestId:String
        SendMessage 2020-04-20 MsgId:String RequestId:String
        SetSniConfig 2020-04-20 AccessDeniedDetail:object AccessDeniedDetail.AuthAction:String \
        AccessDeniedDetail.AuthPrincipalDisplayName:String AccessDeniedDetail.AuthPrincipalOwnerId:String \
        AccessDeniedDetail.AuthPrincipalType:String AccessDeniedDetail.EncodedDiagnosticMessage:String \
        AccessDeniedDetail.NoPermissionType:String AccessDeniedDetail.PolicyType:String RequestId:String \
        Success:String
        TagResources 2020-04-20 Code:String Data:Bool Message:String RequestId:String
        UnRegisterDeviceCredential 2020-04-20 RequestId:String
        UntagResources 2020-04-20 Code:String Data:Bool Message:String RequestId:String
        UpdateCustomAuthIdentity 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        UpdateCustomAuthPermission 2020-04-20 Code:Integer Message:String RequestId:String Success:Bool
        ApplyToken 2019-12-11 RequestId:String Token:String
        BatchQuerySessionByClientIds 2019-12-11 OnlineStatusList:[object] OnlineStatusList.ClientId:String \
        OnlineStatusList.OnlineStatus:Bool RequestId:String
        BatchSendMessages 2019-12-11 RequestId:String Responses:[object] Responses.ErrorCode:Integer \
        Responses.ErrorMessage:String Responses.Id:Integer Responses.MsgId:String
        CreateGroupId 2019-12-11 RequestId:String
        DeleteGroupId 2019-12-11 RequestId:String
        ListGroupId 2019-12-11 Data:[object] Data.CreateTime:Long Data.GroupId:String Data.IndependentNaming:Bool \
        Data.InstanceId:String Data.UpdateTime:Long RequestId:String
        QuerySessionByClientId 2019-12-11 OnlineStatus:Bool RequestId:String
        QueryToken 2019-12-11 RequestId:String TokenStatus:Bool
        RevokeToken 2019-12-11 RequestId:String
        SendMessage 2019-12-11 MsgId:String RequestId:String
        """
}
